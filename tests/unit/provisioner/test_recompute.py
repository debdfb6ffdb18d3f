"""Small cases of the recomputation, worked out by hand, and properties that hold for all."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.provisioner.recompute.columns import EnrichedColumns, EventColumns, Names
from services.provisioner.recompute.compare import Comparison, Handling, compare_tables
from services.provisioner.recompute.join import audit_join
from services.provisioner.recompute.rows import Identity, Row, Shape
from services.provisioner.recompute.sessions import Sessions
from services.provisioner.recompute.streamtime import Arrivals, Bounds, Verdict
from services.provisioner.recompute.users import Users
from services.provisioner.recompute.values import Event, Unreadable, User, integer, read_event, read_row, read_user
from services.provisioner.recompute.windows import TimeWindows
from services.provisioner.verify.sinks import without_superseded

SOURCE = Shape("source")
NEVER_LATE = Bounds(0, 0)


def hopping() -> TimeWindows:
    return TimeWindows(SOURCE, size=300, advance=60, grace=100)


def test_a_record_may_be_late_for_some_of_its_windows_only() -> None:
    table = hopping()
    table.add("a", 600, 1, Bounds(700, 700))
    assert sorted(start for _, start in table.sure) == [360, 420, 480, 540, 600]
    late = hopping()
    late.add("a", 600, 1, Bounds(821, 821))
    assert sorted(start for _, start in late.sure) == [480, 540, 600]
    assert late.late == 2


def test_what_may_have_been_late_is_kept_apart() -> None:
    table = hopping()
    table.add("a", 600, 1, Bounds(low=700, high=821))
    assert table.unsure == {("a", 360), ("a", 420)}
    assert ("a", 360) not in table.rows()
    assert table.is_unsure(("a", 360), {})


def test_the_close_of_a_window_is_exclusive_and_of_a_session_inclusive() -> None:
    assert Bounds(100, 100).judge(100) is Verdict.OUT
    assert Bounds(100, 100).judge(100, strict=True) is Verdict.IN
    assert Bounds(99, 100).judge(100) is Verdict.UNSURE


def test_stream_time_is_bounded_by_what_had_arrived() -> None:
    arrivals = Arrivals(slack_ms=1_000)
    for arrival, time in ((10_000, 50), (12_000, 40), (20_000, 90)):
        arrivals.note(arrival, time)
    arrivals.seal()
    assert [arrivals.greatest_by(t) for t in (5_000, 9_500, 15_000, 19_500, 99_000)] == [-1, 50, 50, 90, 90]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_sessions_do_not_depend_on_the_order_of_events(times: list[int], order: random.Random) -> None:
    def run(events: list[int]) -> dict[Identity, Row]:
        sessions = Sessions(SOURCE, gap=10, grace=10_000)
        for time in events:
            sessions.add("a", time, time % 3, NEVER_LATE)
        return sessions.rows()

    shuffled = list(times)
    order.shuffle(shuffled)
    expected = run(sorted(times))
    assert run(shuffled) == expected
    assert sum(row["view_count"] for row in expected.values()) == len(times)


def test_an_event_between_two_sessions_merges_them() -> None:
    sessions = Sessions(SOURCE, gap=10, grace=10_000)
    for time in (0, 20, 10):
        sessions.add("a", time, 1, NEVER_LATE)
    assert list(sessions.rows().values()) == [
        {"source": "a", "window_start": 0, "window_end": 20, "view_count": 3, "user_count": 1, "updated_at": 20}
    ]


def test_stale_sessions_lie_inside_another_of_the_same_source() -> None:
    def row(start: int, end: int) -> Row:
        return {"window_start": start, "window_end": end}

    rows = {
        ("a", 5): row(5, 20),
        ("a", 10): row(10, 20),
        ("a", 12): row(12, 15),
        ("a", 40): row(40, 40),
        ("b", 10): row(10, 20),
    }
    assert set(without_superseded(rows)) == {("a", 5), ("a", 40), ("b", 10)}


def test_versions_of_a_user_around_a_moment() -> None:
    users, old, new = Users(), User(20, "f", "Chile", "Gold"), User(21, "f", "Chile", "Gold")
    users.put(1, old, 100)
    users.put(1, new, 200)
    users.put(1, None, 300)
    assert users.between(1, 110, 190) == ([old], True)
    assert users.between(1, 190, 210) == ([old, new], True)
    assert users.between(1, 250, 400) == ([new, None], True)
    assert users.between(1, 50, 150) == ([None, old], False)
    assert users.between(2, 0, 1) == ([None], True)
    users.put(1, old, 50)
    assert users.between(1, 110, 190)[1] is False, "a stamp that goes back says nothing"
    assert users.newest() == {1: old}


@pytest.mark.parametrize("late_first", [True, False])
def test_a_late_view_that_may_be_absent_takes_no_record_from_one_that_must_be_there(late_first: bool) -> None:
    """Two views alike, one 30 s late; the user was deleted between. Whichever is read first, one record is right."""
    users, user = Users(), User(25, "f", "Chile", "Gold")
    users.put(1, user, 1_000)
    users.put(1, None, 20_000)
    views = EventColumns(Names())
    enriched = EnrichedColumns(views.groups)
    event = Event(10_000, 1, "Inbox")
    for arrival in (40_000, 10_000) if late_first else (10_000, 40_000):
        views.add(event, arrival, 0)
    enriched.add(event, 25, "Chile", 0)
    audit = audit_join(views, enriched, users, users, slack_ms=0)
    assert (audit.comparison.equal, audit.comparison.clean) == (1, True)
    assert list(audit.arrivals) == [10_000]


OLD, NEW = User(20, "f", "Chile", "Gold"), User(21, "f", "Peru", "Gold")


def joined_around_a_change(
    versions: dict[int, User | None], views: dict[int, User | None], late_ms: int = 40_000
) -> Comparison:
    """``versions``: of one user, by when each came into force; ``views``: by when each happened, with what each was joined."""
    users, columns = Users(), EventColumns(Names())
    enriched = EnrichedColumns(columns.groups)
    for since, version in versions.items():
        users.put(1, version, since)
    for time, found in views.items():
        event = Event(time, 1, "Inbox")
        columns.add(event, time, 0)
        if found is not None:
            enriched.add(event, found.age, found.country, 0)
    return audit_join(columns, enriched, users, users, slack_ms=5_000, late_ms=late_ms).comparison


@pytest.mark.parametrize(
    ("versions", "views"),
    [
        pytest.param({60_000: NEW}, {70_000: None, 90_000: NEW}, id="a new user"),
        pytest.param({1_000: OLD, 60_000: NEW}, {70_000: OLD, 90_000: NEW}, id="a changed one"),
        pytest.param({1_000: OLD, 60_000: None}, {70_000: OLD, 90_000: None}, id="a deleted one"),
        pytest.param({1_000: None, 60_000: NEW}, {70_000: None, 90_000: NEW}, id="one that was deleted and is back"),
    ],
)
def test_a_change_may_come_late_while_a_broker_is_unavailable(
    versions: dict[int, User | None], views: dict[int, User | None]
) -> None:
    found = joined_around_a_change(versions, views)
    assert found.clean
    assert found.unsure == 1
    assert not joined_around_a_change(versions, views, late_ms=0).clean


@pytest.mark.parametrize(
    ("versions", "views", "problem"),
    [
        pytest.param({60_000: NEW}, {70_000: NEW, 90_000: None}, "missing", id="lost after the change had arrived"),
        pytest.param({60_000: NEW}, {106_000: None}, "missing", id="lost too long after it"),
        pytest.param({1_000: OLD, 60_000: NEW}, {70_000: None}, "missing", id="lost, and neither version explains it"),
        pytest.param({1_000: OLD, 60_000: NEW}, {70_000: NEW, 90_000: OLD}, "different", id="back to the old version"),
        pytest.param({1_000: OLD, 60_000: None}, {70_000: None, 90_000: OLD}, "extra", id="back after the deletion"),
    ],
)
def test_no_late_change_explains_what_came_after_it(
    versions: dict[int, User | None], views: dict[int, User | None], problem: str
) -> None:
    found = joined_around_a_change(versions, views)
    assert (found.unsure, getattr(found, problem)) == (0, 1)


@pytest.mark.parametrize(
    ("value", "event"),
    [
        (b'{"event_timestamp": 5, "user_id": 9.7, "source": "a"}', (5, 9, "a")),
        (b'{"EVENT_TIMESTAMP": "5", "user_id": "12", "source": 5.5} tail', (5, 12, "5.5")),
        (b'{"event_timestamp": 5, "user_id": 3000000000, "source": null}', (5, -1294967296, None)),
        (b'{"event_timestamp": 5, "source": [1, "a", null]}', (5, None, "[1, a, null]")),
    ],
)
def test_lenient_reading(value: bytes, event: tuple[int, int | None, str | None]) -> None:
    read = read_event(value, "event_timestamp", "source")
    assert (read.time, read.user, read.group) == event


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"null",
        b"[]",
        b'{"event_timestamp": 5, "user_id": "9.7"}',
        b'{"event_timestamp": -1}',
        b'{"event_timestamp": NaN}',
        b'{"user_id": 1}',
        b'{"event_timestamp": true}',
        b"\xff",
    ],
)
def test_what_cannot_be_read(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read_event(value, "event_timestamp", "source")


def test_only_a_null_value_deletes_a_user() -> None:
    assert read_user(None) is None
    assert read_user(b'{"age": 1, "gender": "", "country": "c", "subscription": "s"}') == User(1, "", "c", "s")
    assert read_user(b'{"age": null, "gender": "m", "country": "c", "subscription": "s"}') is None
    with pytest.raises(Unreadable):
        read_user(b"null")


def test_comparison_counts_each_kind() -> None:
    expected: dict[str, Row] = {name: {"user_count": 100, "average_age": 0.1 + 0.2} for name in "abcdef"}
    actual: dict[str, Row] = {
        "a": {"user_count": 100, "average_age": 0.3},
        "b": {"user_count": 102, "average_age": 0.3},
        "d": {"user_count": 1, "average_age": 0.3},
        "e": {"user_count": 1, "average_age": 0.3},
        "f": {"user_count": None, "average_age": 0.3},
        "g": {"user_count": 1},
    }
    handling = {"d": Handling.SKIP, "e": Handling.TOLERATE}
    result = compare_tables(
        expected, actual, lambda name, _: handling.get(name, Handling.COMPARE), distinct_tolerance=0.03
    )
    assert (result.compared, result.equal, result.missing, result.extra) == (6, 2, 1, 1)
    assert (result.different, result.unsure, result.skipped) == (1, 1, 1)
    assert not result.clean


@pytest.mark.parametrize(
    ("number", "text"),
    [  # number, what Jackson 2.19 made of it as a text, with exact decimals
        ("42.000", "42.000"),
        ("12.50", "12.50"),
        ("-0", "0"),
        ("-0.0", "0.0"),
        ("1e5", "1E+5"),
        ("1e-5", "0.00001"),
        ("1.50e3", "1.50E+3"),
        ("0.0000001", "1E-7"),
        ("0.000001", "0.000001"),
        ("100e-2", "1.00"),
        ("1e2147483647", "1E+2147483647"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("123456789012345678901234567890.123", "123456789012345678901234567890.123"),
        ('{"b":1.50,"a":[1,2.0],"c":"\\u001b\\n/","e":1e3,"b":7}', '{"b":7,"a":[1,2.0],"c":"\\u001B\\n/","e":1E+3}'),
        ("[1.0, true, null, [2], {}]", "[1.0, true, null, [2], {}]"),
        ("[" * 999 + "]" * 999, "[" * 999 + "]" * 999),
    ],
)
def test_a_number_as_a_text_keeps_its_digits(number: str, text: str) -> None:
    record = f'{{"event_timestamp": 5, "source": {number}}}'.encode()
    assert read_event(record, "event_timestamp", "source").group == text


@pytest.mark.parametrize(
    ("number", "whole"),
    [
        ("9007199254740993.0", 9007199254740993),
        ("9223372036854775808", -9223372036854775808),
        ("18446744073709551616.7", 0),
        ("123456789012345678901234567890.123", -4362896299872285998),
        ("1e400", 0),
        ("1e2147483647", 0),
        ("-9.7", -9),
        ('"١٢"', 12),
        ('"１２"', 12),
        ('"-٣"', -3),
        ('"+5"', 5),
        (f'"{"0" * 5_000}7"', 7),
    ],
)
def test_a_whole_number_is_exact(number: str, whole: int) -> None:
    assert integer(read_row(f'{{"v": {number}}}'.encode())["v"], 64) == whole


@pytest.mark.parametrize("text", ["", "+", "𝟝", "1_0", " 1", "9.7", "9223372036854775808", "1" * 5_000, "²", "½"])
def test_what_java_does_not_parse_is_no_number(text: str) -> None:
    with pytest.raises(Unreadable):
        integer(text, 64)


@pytest.mark.parametrize(
    "value",
    [
        b'{"v": ' + b"1" * 1_001 + b"}",
        b'{"v": 1e2147483648}',
        b'{"v": 1.0e-2147483647}',
        b'{"v": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
        b'{"v": "\xff"}',
        b'{"v": "\xed\xa0\x80"}',
        b'{"v": "a',
        b'{"' + b"n" * 50_001 + b'": 1}',
    ],
)
def test_what_no_reader_of_the_pipeline_takes_is_unreadable(value: bytes) -> None:
    with pytest.raises(Unreadable):
        read_row(value)


@pytest.mark.parametrize(
    "value", [b'{"v": 1}\xff\xfe', b'\xef\xbb\xbf{"v": 1}', b' {"v": 1} {"v": 2}', b'{"v": 1}\x00']
)
def test_what_follows_the_first_object_does_not_matter(value: bytes) -> None:
    assert read_row(value) == {"v": 1}


def test_arrivals_far_apart_take_no_memory_for_the_time_between() -> None:
    arrivals = Arrivals(slack_ms=0)
    for arrival, time in ((0, 7), (1_760_000_000_000, 5), (9_000_000_000_000_000_000, 9)):
        arrivals.note(arrival, time)
    arrivals.seal()
    assert [arrivals.greatest_by(moment) for moment in (-1, 0, 1_760_000_000_000, 1 << 63)] == [-1, 7, 7, 9]
