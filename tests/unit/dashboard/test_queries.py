from __future__ import annotations

import re
from pathlib import Path

import httpx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard import queries
from services.dashboard.errors import PinotUnavailable, QueryFailed, TableMissing
from services.dashboard.queries import ROWS, Span, Warehouse, filled, statement, without_superseded
from tests.unit.dashboard.fakes import COLUMNS, MINUTE, Pinot, flowing, windows

NOW = 1_800_000_000_000
SPAN = Span(NOW - 15 * MINUTE, NOW, NOW + MINUTE)
NAMES = sorted(path.stem for path in Path(queries.__file__).parent.glob("sql/*.sql"))


@pytest.mark.parametrize("name", NAMES)
def test_every_query_is_bounded_in_time_and_rows(name: str) -> None:
    sql = statement(name)
    assert "%(since)s" in sql
    assert "%(until)s" in sql
    assert "LIMIT" in sql
    assert "--" not in sql
    values = {"since": 1, "until": 2, "limit": 3, "interval": 5, "windows": 1, "countries": ["Thailand", "Peru"]}
    assert "%" not in filled(sql, values)
    where = sql.partition("WHERE")[2].partition("GROUP BY")[0]
    assert not set(re.findall(r"\bAS (\w+)", sql)) & set(re.findall(r"\w+", where)), (
        "Pinot puts the expression in its place"
    )


@pytest.mark.parametrize(
    ("method", "table"),
    [
        ("countries", "pageview_country"),
        ("tumbling", "pageview_tumbling"),
        ("hopping", "pageview_hopping"),
        ("sessions", "pageview_session"),
        ("devices", "usersession_device"),
    ],
)
def test_frames(method: str, table: str) -> None:
    pinot = Pinot(flowing(NOW))
    frame = getattr(pinot.warehouse(), method)(SPAN)
    assert list(frame.columns) == [*COLUMNS[table], "open"]
    assert len(frame) == len(pinot.tables[table])
    assert str(frame["window_start"].dt.tz) == "UTC"
    assert frame["window_start"].is_monotonic_increasing
    assert frame["open"].tolist() == (frame["window_end"] > pd.Timestamp(NOW, unit="ms", tz="UTC")).tolist()
    (_, parameters), *rest = pinot.asked
    assert not rest
    assert parameters == {"since": SPAN.since, "until": SPAN.until, "limit": parameters["limit"]}
    assert parameters["limit"] in ROWS.values()


DAY = 24 * 60 * MINUTE


@pytest.mark.parametrize(("days", "minutes"), [(1, 0), (1.2, 5), (5, 5), (9, 10), (30, 30), (400, 720), (9_000, 1_440)])
def test_a_long_range_is_asked_for_in_intervals(days: float, minutes: int) -> None:
    assert Span(NOW - int(days * DAY), NOW, NOW + MINUTE).interval_ms == minutes * MINUTE


def test_the_numbers_of_an_interval_are_means_of_its_windows() -> None:
    start = (NOW - 2 * DAY) // (5 * MINUTE) * (5 * MINUTE)
    rows = [["Inbox", start + n * MINUTE, start + (n + 1) * MINUTE, 30, 10] for n in (0, 1, 3)]
    pinot = Pinot({"pageview_tumbling": [*rows, ["Inbox", NOW - MINUTE, NOW, 5, 5]]})
    span = Span(start + 1, NOW, NOW + MINUTE)
    frame = pinot.warehouse().tumbling(span)
    first = frame.iloc[0]
    # three windows of five; the interval is whole, though the range begins within it
    assert (first["view_count"], first["user_count"]) == (18, 6)
    assert first["window_start"] == pd.Timestamp(start, unit="ms", tz="UTC")
    assert first["window_end"] - first["window_start"] == pd.Timedelta(minutes=5)
    assert (frame.attrs["interval_ms"], frame.attrs["cut"]) == (5 * MINUTE, False)
    assert set(frame.columns) == {*COLUMNS["pageview_tumbling"], "open"}
    assert "MOD(window_start, 300000)" in queries.rendered("tumbling", span)


@pytest.mark.parametrize("method", ["tumbling", "hopping", "devices"])
def test_a_long_range_without_rows_has_its_columns(method: str) -> None:
    frame = getattr(Pinot().warehouse(), method)(Span(NOW - 3 * DAY, NOW, NOW))
    assert frame.empty
    assert {"window_start", "window_end", "user_count", "open"} <= set(frame.columns)


def test_views_of_a_page_are_added_up_over_the_span() -> None:
    pinot = Pinot(flowing(NOW))
    frame = pinot.warehouse().pages(SPAN)
    assert dict(zip(frame["page"], frame["view_count"], strict=True)) == {"/": 120, "/cart": 60, "/about": 9}
    assert set(frame["window_end"] - frame["window_start"]) == {pd.Timedelta(minutes=15)}
    empty = Pinot().warehouse().pages(SPAN)
    assert empty.empty
    assert {"page", "view_count", "open"} <= set(empty.columns)


def test_rows_at_the_limit_are_known_to_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROWS, "sessions", 3)
    monkeypatch.setitem(ROWS, "tumbling", 10)
    pinot = Pinot(flowing(NOW))
    warehouse = pinot.warehouse()
    assert warehouse.sessions(SPAN).attrs["cut"]
    assert not warehouse.tumbling(SPAN).attrs["cut"]


def test_the_leaders_are_asked_for_by_name_and_are_few() -> None:
    pinot = Pinot(flowing(NOW))
    pinot.warehouse().leaders(SPAN, ["Côte d'Ivoire", *(f"country {n}" for n in range(20))])
    ((sql, parameters),) = pinot.asked
    assert len(parameters["countries"]) == 10
    assert "country IN ('Côte d''Ivoire', 'country 0'," in sql


@pytest.mark.parametrize("method", ["countries", "tumbling", "hopping", "sessions", "devices"])
def test_no_rows_give_an_empty_frame_with_its_columns(method: str) -> None:
    frame = getattr(Pinot().warehouse(), method)(SPAN)
    assert frame.empty
    assert {"window_start", "window_end", "user_count", "open"} <= set(frame.columns)


def test_totals_and_newest() -> None:
    pinot = Pinot(flowing(NOW))
    warehouse = pinot.warehouse()
    totals = warehouse.totals(SPAN)
    assert totals.views == sum(row[3] for row in pinot.tables["pageview_tumbling"])
    assert totals.sessions == sum(row[3] for row in pinot.tables["usersession_device"])
    assert warehouse.newest_event(SPAN) == max(row[2] for row in pinot.tables["pageview_tumbling"])


def test_nothing_is_zero_and_no_newest() -> None:
    warehouse = Pinot().warehouse()
    assert warehouse.totals(SPAN).views == 0
    assert warehouse.newest_event(SPAN) is None


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ConnectError("refused"), PinotUnavailable),
        (httpx.ReadTimeout("slow"), PinotUnavailable),
        (190, TableMissing),
        (410, TableMissing),
        (710, QueryFailed),
    ],
)
def test_failures_have_our_words(failure: Exception | int, expected: type[Exception]) -> None:
    pinot = Pinot()
    pinot.failure = failure
    with pytest.raises(expected):
        pinot.warehouse().tumbling(SPAN)


def test_an_answer_that_is_none_of_pinots_is_a_failed_query() -> None:
    http = httpx.Client(base_url="http://pinot", transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    with pytest.raises(QueryFailed, match="HTTP 500"):
        Warehouse(http).tumbling(SPAN)


def sessions(*rows: tuple[str, int, int]) -> pd.DataFrame:
    full = [(source, start, end, 1, 1, end) for source, start, end in rows]
    return windows(full, COLUMNS["pageview_session"], NOW)


def kept(frame: pd.DataFrame) -> list[tuple[str, int, int]]:
    def ms(column: str) -> list[int]:
        return [int(value.timestamp() * 1000) for value in frame[column]]

    return list(zip(frame["source"], ms("window_start"), ms("window_end"), strict=True))


def test_a_session_inside_another_of_its_source_is_stale() -> None:
    frame = sessions(
        ("Inbox", 10_000, 20_000),  # grew backwards: the next row replaced it
        ("Inbox", 5_000, 20_000),
        ("Inbox", 60_000, 60_000),  # two that a late view merged into the third
        ("Inbox", 80_000, 90_000),
        ("Inbox", 60_000 - 1, 90_000),
        ("Homepage", 10_000, 20_000),  # another source: untouched
    )
    assert kept(without_superseded(frame)) == [
        ("Inbox", 5_000, 20_000),
        ("Homepage", 10_000, 20_000),
        ("Inbox", 59_999, 90_000),
    ]


def test_neighbours_stay() -> None:
    frame = sessions(("Inbox", 0, 10), ("Inbox", 40_000, 50_000), ("Inbox", 90_000, 90_000))
    assert len(without_superseded(frame)) == 3


@given(st.lists(st.integers(0, 400).map(lambda s: s * 1_000), min_size=1, max_size=40))
def test_out_of_order_events_leave_exactly_the_true_sessions(times: list[int]) -> None:
    """Replays session windows as the stream sees them, keeps every row that Pinot would keep, and compares."""
    gap = 30_000
    current: list[tuple[int, int]] = []
    rows: dict[int, int] = {}
    for at in times:
        touched = [s for s in current if s[0] - gap <= at <= s[1] + gap]
        merged = (min([at, *(s[0] for s in touched)]), max([at, *(s[1] for s in touched)]))
        current = [s for s in current if s not in touched] + [merged]
        rows[merged[0]] = merged[1]  # upsert on the start; the old starts stay behind
    frame = sessions(*(("Inbox", start, end) for start, end in rows.items()))
    assert kept(without_superseded(frame)) == [("Inbox", *session) for session in sorted(current)]
