"""Many values and strange ones: a chart keeps its height, its legend stays short, and no value is lost."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard import palette
from services.dashboard.charts import audience, dimension, engagement, ranking, sources
from services.dashboard.charts.base import ChartTheme
from services.dashboard.plot import element
from tests.unit.dashboard.fakes import COLUMNS, MINUTE, windows

NOW = 1_800_000_030_000
THEME = ChartTheme()
LONG = "https://example.org/" + "x" * 540
#: empty, blank, 560 characters that differ at the end alone, markup, control characters, and forty more
STRANGE = ["", "   ", LONG + "1", LONG + "2", "<b>bold</b>", "nul\x00inside", "\n"] + [f"source-{n}" for n in range(40)]


def frame(values: list[str], table: str = "pageview_tumbling") -> pd.DataFrame:
    start = NOW // MINUTE * MINUTE
    rows = [
        [value, start - MINUTE * m, start - MINUTE * (m - 1), 10 * (n + 1), n + 1]
        for n, value in enumerate(values)
        for m in (0, 1)
    ]
    return windows(rows, COLUMNS[table], NOW)


def sessions(values: list[str]) -> pd.DataFrame:
    rows = [[value, NOW - 50_000, NOW - 1_000, 10 * (n + 1), n + 1, NOW] for n, value in enumerate(values)]
    return windows(rows, COLUMNS["pageview_session"], NOW)


def countries(values: list[str]) -> pd.DataFrame:
    users = range(1, len(values) + 1)
    return pd.DataFrame(
        {
            "country": values,
            "user_count": list(users),
            "view_count": [10 * n for n in users],
            "average_age": [30.0] * len(values),
            "open": [False] * len(values),
        }
    )


CHARTS: dict[str, Callable[[list[str]], go.Figure]] = {
    "tumbling": lambda values: sources.tumbling(frame(values), THEME),
    "hopping": lambda values: sources.hopping(frame(values, "pageview_hopping"), THEME),
    "sessions": lambda values: sources.sessions(sessions(values), THEME, now_ms=NOW, gap_ms=30_000),
    "devices": lambda values: engagement.devices(frame(values, "usersession_device"), THEME),
    "ranked": lambda values: ranking.ranked(audience.of_window(_window(values), complete=True), THEME),
    "ages": lambda values: ranking.ages(audience.of_window(_window(values), complete=True), THEME),
    "pages": lambda values: ranking.pages(frame(values, "pageview_page").drop_duplicates("page"), THEME),
    "tiers": lambda values: ranking.by_tier(
        ranking.tiers({"by_subscription": {value: n + 1 for n, value in enumerate(values)}}), THEME
    ),
}


def _window(values: list[str]) -> pd.DataFrame:
    start = pd.Timestamp(NOW - 10 * MINUTE, unit="ms", tz="UTC")
    return countries(values).assign(window_start=start, window_end=start + pd.Timedelta("5min"))


def names(drawn: go.Figure) -> set[str]:
    """The values as they are named on the chart: on an axis or in the legend."""
    places = {str(y) for trace in drawn.data for y in trace.y if isinstance(y, str)}
    return places or {trace.name for trace in drawn.data if trace.showlegend is not False}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_keeps_its_height_and_its_names_fit(name: str) -> None:
    few, many = CHARTS[name](["Homepage", "Inbox"]), CHARTS[name](STRANGE)
    assert many.layout.height == few.layout.height <= 420
    texts = names(many)
    assert max(map(len, texts)) <= 32
    assert len({trace.name for trace in many.data if trace.showlegend is not False}) <= dimension.TOP + 1
    assert any(text.startswith("other (") for text in texts)


@pytest.mark.parametrize("name", CHARTS)
def test_two_long_values_that_differ_at_the_end_are_two_with_the_whole_on_hover(name: str) -> None:
    drawn = json.loads(element.inert(CHARTS[name]([LONG + "1", LONG + "2"])))
    texts = json.dumps(drawn["data"], ensure_ascii=False)
    assert "xxx1<br>" in texts or 'xxx1"' in texts
    assert "xxx2<br>" in texts or 'xxx2"' in texts
    assert len(names(CHARTS[name]([LONG + "1", LONG + "2"]))) == 2


def test_a_page_has_more_of_its_path_where_the_chart_is_wide() -> None:
    path = "/products/garden-furniture/teak-lounge-chair.html"
    values = [path, LONG + "1", LONG + "2", "/<b>cart</b>", *(f"/{n}" for n in range(40))]
    drawn = json.loads(element.inert(CHARTS["pages"](values[::-1])))
    narrow, wide = drawn["layout"]["yaxis"]["ticktext"], drawn["layout"]["meta"]["wide"]["labels"]
    assert drawn["layout"]["yaxis"]["tickvals"] == [y for trace in drawn["data"][::-1] for y in trace["y"]] == narrow
    assert (narrow[-1], wide[-1]) == ("/products/gard…ir.html", path)
    assert (narrow[-4], wide[-4]) == ("/&lt;b&gt;cart&lt;/b&gt;",) * 2
    assert (narrow[0], wide[0]) == ("other (34)",) * 2
    assert len(set(wide)) == len(wide) == 11
    assert max(map(len, wide)) <= 60
    assert drawn["layout"]["height"] == CHARTS["pages"](["/"]).layout.height


@given(st.lists(st.text(max_size=600), min_size=1, max_size=30, unique=True))
def test_nothing_is_lost_and_labels_are_unique(values: list[str]) -> None:
    rows = frame(values)
    found = dimension.series(rows, "source", "view_count")
    assert sum(one.rows["view_count"].sum() for one in found) == rows["view_count"].sum()
    assert len({one.label for one in found}) == len(found) <= dimension.TOP + 1
    assert all(one.label.strip() for one in found)
    ranked = dimension.ranked(_window(values), "country", "user_count", top=5)
    assert ranked["user_count"].sum() == sum(range(1, len(values) + 1))
    assert ranked["label"].is_unique
    assert len(ranked) <= 6


def test_other_is_the_sum_by_window_and_its_age_the_mean_over_views() -> None:
    values = [f"s{n:02}" for n in range(10)]
    other = dimension.series(frame(values), "source", "view_count")[-1]
    assert (other.value, other.label, other.colour) == (None, "other (3)", palette.OTHER)
    assert other.rows["view_count"].tolist() == [10 + 20 + 30] * 2
    window = _window(values).assign(average_age=[10.0, 20.0, 30.0] + [99.0] * 7)
    last = dimension.ranked(window, "country", "user_count", top=7).iloc[-1]
    assert (last["label"], last["user_count"]) == ("other (3)", 6)
    assert last["average_age"] == pytest.approx((10 * 10 + 20 * 20 + 30 * 30) / 60)


def test_a_source_has_one_colour_on_every_chart() -> None:
    values = ["Homepage", "newsletter", "partner", "tv"]
    drawn = [CHARTS[name](values) for name in ("tumbling", "hopping", "sessions")]
    for value in values:
        colours = set()
        for figure in drawn:
            trace = next(trace for trace in figure.data if trace.name == value)
            colours.add((trace.line.color if trace.type == "scatter" else None) or trace.marker.color)
        assert colours == {palette.colour("source", value)}
