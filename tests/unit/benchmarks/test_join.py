"""The drills' check of the join, while users change."""

from __future__ import annotations

import json

from benchmarks.drills.events import AHEAD_MS, Arrived, Enriched, arrivals
from benchmarks.drills.join import SLACK_MS, Versions, check_join
from tests.integration.recompute import Event, Raw

USER = 7
CHANGED = 100_000


def version(time: int, age: int | None, country: str = "Land") -> Raw:
    row = {"user_id": USER, "age": age, "gender": "Female", "country": country, "subscription": "Gold"}
    return Raw(USER.to_bytes(4, "big"), json.dumps(row).encode(), time, 0)


def view(time: int, arrival: int | None = None) -> Arrived:
    return Arrived(Event(time, USER, "Inbox"), time if arrival is None else arrival)


def joined(time: int, age: int) -> Enriched:
    return Enriched(USER, time, "Inbox", age, "Land")


VERSIONS = Versions([version(0, 30), version(CHANGED, 31)])


def test_each_view_once_with_the_version_of_its_time() -> None:
    before, after = CHANGED - SLACK_MS - 1, CHANGED + SLACK_MS + 1
    assert check_join([view(before), view(after)], [joined(before, 30), joined(after, 31)], VERSIONS, VERSIONS).clean


def test_around_a_change_both_versions_are_right() -> None:
    for age in (30, 31):
        assert check_join([view(CHANGED)], [joined(CHANGED, age)], VERSIONS, VERSIONS).clean


def test_another_version_is_wrong() -> None:
    later = CHANGED + SLACK_MS + 1
    assert check_join([view(later)], [joined(later, 30)], VERSIONS, VERSIONS).wrong == 1


def test_a_late_view_is_joined_with_the_user_at_its_arrival() -> None:
    late = view(CHANGED - 50_000, arrival=CHANGED + SLACK_MS + 1)
    assert check_join([late], [joined(late.event.time, 31)], VERSIONS, VERSIONS).clean
    assert check_join([late], [joined(late.event.time, 30)], VERSIONS, VERSIONS).wrong == 1


def test_missing_and_doubled_views_are_counted() -> None:
    assert check_join([view(50_000)], [], VERSIONS, VERSIONS).lost == 1
    assert check_join([view(50_000)], [joined(50_000, 30)] * 2, VERSIONS, VERSIONS).doubled == 1
    assert check_join([view(50_000)] * 2, [joined(50_000, 30)] * 2, VERSIONS, VERSIONS).clean


def test_views_of_unknown_or_incomplete_users_are_left_out() -> None:
    lacking = Versions([version(0, None)])
    assert check_join([view(50_000)], [], lacking, lacking).clean
    assert check_join([view(50_000)], [joined(50_000, 30)], lacking, lacking).doubled == 1
    assert check_join([view(50_000)], [], Versions([]), Versions([])).clean


def test_events_too_far_ahead_are_left_out() -> None:
    def record(time: int) -> Raw:
        value = {"session_id": "s", "user_id": USER, "source": "Inbox", "event_timestamp": time}
        return Raw(b"s", json.dumps(value).encode(), 1_000, 0)

    found = arrivals([record(1_000 + AHEAD_MS), record(1_001 + AHEAD_MS)], "event_timestamp", "source")
    assert [arrived.event.time for arrived in found] == [1_000 + AHEAD_MS]


def test_a_version_that_the_user_never_had_is_wrong() -> None:
    source = Versions([version(0, 30), version(CHANGED, 31)])
    assert not Versions([version(CHANGED, 31)]).unknown_to(source), "not every version need be there"
    for invented in (version(0, 31), version(CHANGED, 32), version(CHANGED - 1, 31)):
        assert check_join([], [], source, Versions([invented])).wrong == 1
