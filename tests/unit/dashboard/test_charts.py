from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pycountry
import pytest

import services.dashboard
from services.dashboard import load_profiles, palette
from services.dashboard.charts import audience, engagement, ranking, sources
from services.dashboard.charts.base import CONFIG, ChartTheme, add_events, figure
from tests.unit.dashboard.fakes import COLUMNS, MINUTE, flowing, windows

NOW = 1_800_000_030_000  # half a minute into a minute
LOOK = ChartTheme(zone="Asia/Bangkok", dark=False)


def frame(table: str) -> pd.DataFrame:
    return windows(flowing(NOW)[table], COLUMNS[table], NOW)


def named(fig: go.Figure) -> dict[str, Any]:
    return {trace.name: trace for trace in fig.data if trace.showlegend is not False}


def test_tumbling_stacks_the_sources_in_their_colours_and_hatches_the_open_window() -> None:
    fig = sources.tumbling(frame("pageview_tumbling"), LOOK)
    assert fig.layout.barmode == "stack"
    assert list(named(fig)) == ["Homepage", "Inbox", "External"]
    for name, trace in named(fig).items():
        assert trace.marker.color == palette.SOURCES[name]
        assert list(trace.marker.pattern.shape) == ["", "", "/"]
    assert list(named(fig)["Inbox"].y) == [20, 20, 20]
    assert list(named(sources.tumbling(frame("pageview_tumbling"), LOOK, "view_count"))["Inbox"].y) == [60, 60, 60]


def test_times_are_the_viewers() -> None:
    first = named(sources.tumbling(frame("pageview_tumbling"), LOOK))["Inbox"].x[0]
    expected = pd.Timestamp(NOW // MINUTE * MINUTE - 2 * MINUTE, unit="ms", tz="UTC").tz_convert("Asia/Bangkok")
    assert pd.Timestamp(first) == expected.tz_localize(None)


def test_hopping_is_a_line_at_the_windows_end_and_its_open_end_is_dotted() -> None:
    fig = sources.hopping(frame("pageview_hopping"), LOOK)
    lines = [trace for trace in fig.data if trace.name == "External"]
    ends = [trace for trace in fig.data if trace.name == "External (open)"]
    assert len(lines) == len(ends) == 1
    assert len(lines[0].x) == 2
    assert lines[0].line.dash is None
    assert ends[0].line.dash == "dot"
    # it begins at the last complete point, so that the line does not break
    assert pd.Timestamp(ends[0].x[0]) == pd.Timestamp(lines[0].x[-1])
    assert ends[0].showlegend is False


def test_a_source_with_an_open_window_only_is_in_the_legend_in_its_colour() -> None:
    young = frame("pageview_hopping")
    fig = sources.hopping(young[young["open"]], LOOK)
    assert set(named(fig)) == set(young["source"])
    for name, trace in named(fig).items():
        assert trace.line.color == trace.marker.color == palette.SOURCES[name]


def test_sessions_are_bars_from_start_to_end_and_live_ones_reach_to_now() -> None:
    fig = sources.sessions(frame("pageview_session"), LOOK, now_ms=NOW, gap_ms=30_000)
    homepage = named(fig)["Homepage"]
    assert list(homepage.x) == [60_000.0, 20_000.0]
    assert list(homepage.marker.pattern.shape) == ["", "/"]
    assert "still going" in homepage.customdata[1][0]
    assert list(named(fig)["Inbox"].x) == [20_000.0]
    arrows = [trace for trace in fig.data if trace.name == "still going"]
    assert [list(trace.y) for trace in arrows] == [["Homepage"]]


def test_a_session_is_live_until_the_gap_has_passed() -> None:
    live = sources.live_sessions(frame("pageview_session"), now_ms=NOW, gap_ms=30_000)
    assert live["live"].tolist() == [False, True, False]
    later = sources.live_sessions(frame("pageview_session"), now_ms=NOW + 29_001, gap_ms=30_000)
    assert later["live"].tolist() == [False, False, False]
    assert later["shown_end"].tolist() == later["window_end"].tolist()


def test_an_unknown_source_is_drawn_last() -> None:
    rows = [["Fax", NOW, NOW + MINUTE, 1, 1], ["External", NOW, NOW + MINUTE, 1, 1]]
    fig = sources.tumbling(windows(rows, COLUMNS["pageview_tumbling"], NOW), LOOK)
    assert [trace.name for trace in fig.data] == ["External", "Fax"]


def test_one_window_is_never_mixed_with_another() -> None:
    countries = frame("pageview_country")
    complete = audience.of_window(countries, complete=True)
    still_open = audience.of_window(countries, complete=False)
    for window in (complete, still_open):
        assert window["window_start"].nunique() == 1
        assert window["user_count"].tolist() == [7, 5, 1]
    assert complete.iloc[0]["window_end"] == still_open.iloc[0]["window_start"]


def test_the_map_knows_countries_by_their_code_and_leaves_out_what_is_none() -> None:
    fig = audience.world(audience.of_window(frame("pageview_country"), complete=True), LOOK)
    (trace,) = fig.data
    assert list(trace.locations) == ["THA", "DEU"]
    assert list(trace.z) == [7, 5]
    assert trace.locationmode == "ISO-3"


def test_the_map_needs_nothing_from_outside() -> None:
    outlines = Path(services.dashboard.__file__).parent / "web" / "static" / "world_110m.json"
    shapes = json.loads(outlines.read_text())["objects"]
    codes = {shape.get("id") for shape in shapes["countries"]["geometries"]}
    assert {"THA", "DEU", "SGP", "USA"} <= codes
    assert CONFIG["topojsonURL"].startswith("app/static")


@pytest.mark.parametrize(
    ("name", "code"),
    [("Turkey", "TUR"), ("South Korea", "KOR"), ("Russia", "RUS"), ("Vietnam", "VNM"), ("Atlantis", None)],
)
def test_country_names(name: str, code: str | None) -> None:
    assert audience.iso3(name) == code


def test_every_name_and_code_of_iso_is_known() -> None:
    for country in pycountry.countries:
        names = (country.alpha_2, country.alpha_3, country.name, getattr(country, "official_name", country.name))
        assert {audience.iso3(name) for name in names} == {country.alpha_3}


def test_ranked_bars_have_most_users_on_top_and_are_hatched_while_open() -> None:
    countries = frame("pageview_country")
    (bars,) = ranking.ranked(audience.of_window(countries, complete=True), LOOK, top=2).data
    # one more than the top is drawn rather than called "other"
    assert list(bars.y) == ["Atlantis", "Germany", "Thailand"]
    assert list(bars.x) == [1, 5, 7]
    assert set(bars.marker.pattern.shape) == {""}
    (bars,) = ranking.ranked(audience.of_window(countries, complete=False), LOOK).data
    assert set(bars.marker.pattern.shape) == {"/"}
    assert bars.marker.pattern.fillmode == "overlay"  # over the colour, not instead of it


def test_top_pages_are_bars_of_views_with_their_share() -> None:
    window = windows(
        [[f"/{n}", NOW, NOW, 10 * n] for n in range(1, 13)], ["page", "window_start", "window_end", "view_count"], NOW
    )
    top, other = ranking.pages(window, LOOK).data
    assert (list(top.y)[-1], list(top.x)[-1], top.customdata[-1][1]) == ("/12", 120, 120 / 780)
    assert (list(other.y), list(other.x)) == (["other (2)"], [30])


def test_ages_are_in_the_order_of_the_ranking() -> None:
    (points,) = ranking.ages(audience.of_window(frame("pageview_country"), complete=True), LOOK).data
    assert list(points.y) == ["Atlantis", "Germany", "Thailand"]
    assert list(points.text) == ["30.6", "31.0", "31.2"]


def test_numbers_are_not_written_as_times() -> None:
    complete = audience.of_window(frame("pageview_country"), complete=True)
    for fig in (
        ranking.ages(complete, LOOK),
        load_profiles.preview({"points": [{"seconds": 0, "rate": 1}]}, "constant", LOOK),
    ):
        assert fig.layout.xaxis.tickformatstops == ()
    assert sources.hopping(frame("pageview_hopping"), LOOK).layout.xaxis.tickformatstops


def test_leaders_over_time_show_the_open_window_as_rings() -> None:
    fig = audience.over_time(frame("pageview_country"), LOOK, top=1)
    line, ring = fig.data
    assert (line.name, list(line.y), line.mode) == ("Thailand", [7, 7], "lines+markers")
    assert (list(ring.y), ring.mode, ring.marker.symbol) == ([7], "markers", "circle-open")


def test_tiers_come_from_the_seeders_statistics_with_their_age_where_it_is_known() -> None:
    users = {"free": 1500, "premium": 300}
    (bars,) = ranking.by_tier(ranking.tiers({"by_subscription": users}), LOOK).data
    assert (list(bars.y), list(bars.x), list(bars.text)) == (["premium", "free"], [300, 1500], ["300", "1,500"])
    aged = ranking.tiers({"by_subscription": users, "average_age_by_subscription": {"free": 34.56}})
    (bars,) = ranking.by_tier(aged, LOOK).data
    assert list(bars.text) == ["300", "1,500, age 34.6"]
    assert ranking.tiers({}).empty


def test_devices_stack() -> None:
    fig = engagement.devices(frame("usersession_device"), LOOK)
    assert list(named(fig)) == ["Mobile", "Desktop", "Tablet"]
    assert list(named(fig)["Mobile"].y) == [12, 12, 12]
    assert list(named(fig)["Mobile"].marker.pattern.shape) == ["", "", "/"]


def test_views_per_session_takes_complete_windows_that_have_both() -> None:
    rows = engagement.ratio(frame("pageview_tumbling"), frame("usersession_device"))
    assert rows["views"].tolist() == [180, 180]
    assert rows["sessions"].tolist() == [20, 20]
    assert rows["per_session"].tolist() == [9.0, 9.0]
    (line,) = engagement.views_per_session(rows, LOOK).data
    assert list(line.y) == [9.0, 9.0]


def test_views_per_session_of_nothing_is_nothing() -> None:
    none = windows([], COLUMNS["usersession_device"], NOW).astype({"open": bool})
    assert engagement.ratio(frame("pageview_tumbling"), none).empty


@pytest.mark.parametrize("dark", [False, True])
def test_a_chart_has_the_same_identity_at_each_refresh(dark: bool) -> None:
    theme = ChartTheme(dark=dark)
    assert figure(theme, name="x").layout.uirevision == figure(theme, name="x").layout.uirevision == "x"
    drawn = sources.tumbling(frame("pageview_tumbling"), theme)
    assert drawn.layout.uirevision == "tumbling-user_count"
    assert drawn.layout.separators == ".,"


def test_countries_show_before_any_window_is_complete() -> None:
    start = pd.Timestamp("2026-11-24T19:30Z")
    frame = pd.DataFrame(
        {
            "country": ["China", "India"],
            "window_start": [start, start],
            "window_end": [start + pd.Timedelta("5min")] * 2,
            "view_count": [9, 8],
            "user_count": [5, 3],
            "average_age": [40.0, 41.0],
            "open": [True, True],
        }
    )
    drawn = audience.over_time(frame, ChartTheme(zone="UTC", dark=False))
    shown = [trace for trace in drawn.data if len(trace.y)]
    assert [(trace.name, list(trace.y), trace.showlegend) for trace in shown] == [
        ("China", [5], True),
        ("India", [3], True),
    ]


def test_spellings_of_one_country_are_one_place_on_the_map() -> None:
    window = pd.DataFrame(
        {
            "country": ["Thailand", "thailand", "Atlantis"],
            "user_count": [7, 2, 1],
            "view_count": [30, 10, 1],
            "average_age": [30.0, 50.0, 20.0],
        }
    )
    (place,) = audience.by_code(window).to_dict("records")
    assert (place["code"], place["country"], place["user_count"]) == ("THA", "Thailand + thailand", 9)
    assert place["average_age"] == 35.0


def test_events_that_nearly_coincide_share_a_mark_and_its_place_does_not_depend_on_the_range() -> None:
    since, until = NOW, NOW + 100_000
    times = {"before": -500, "also before": 300, "start": 20_000, "rate": 20_900, "stop": 60_000, "after": 200_000}
    events = [{"at_ms": since + after, "title": title, "detail": ""} for title, after in times.items()]
    fig = figure(LOOK, name="marks")
    add_events(fig, LOOK, events, since, until)
    first, second = fig.layout.annotations
    assert [pd.Timestamp(mark.x) for mark in (first, second)] == [LOOK.time(since + 20_000), LOOK.time(since + 60_000)]
    assert "start" in first.hovertext
    assert "rate" in first.hovertext
    assert len(fig.layout.shapes) == 2
