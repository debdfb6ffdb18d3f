"""The check of acknowledgements finds what is lost and what is doubled."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.drills.acknowledgements import batches_twice, tally, without_login
from shared.topics import PAGE_VIEW, USER_SESSION
from tests.integration.recompute import Raw


@dataclass
class Sent:
    acknowledged: int
    sent: int | None


def records(*names: str, partition: int = 0) -> list[Raw]:
    return [Raw(name.encode(), name.encode(), 1_000, partition, offset) for offset, name in enumerate(names)]


def topics(views: list[Raw]) -> dict[str, list[Raw]]:
    return {PAGE_VIEW: views, USER_SESSION: []}


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    found = tally(Sent(acknowledged=5, sent=5), 0, {}, topics(records("a", "b", "c")))
    assert (found.lost, found.doubled) == (2, 0)


def test_more_than_was_sent_is_doubled() -> None:
    found = tally(Sent(acknowledged=2, sent=2), 0, {}, topics(records("a", "b", "c")))
    assert (found.lost, found.doubled) == (0, 1)


def test_a_failed_event_may_be_there_or_not() -> None:
    for written in (records("a", "b"), records("a", "b", "c")):
        found = tally(Sent(acknowledged=2, sent=3), 0, {}, topics(written))
        assert (found.lost, found.doubled) == (0, 0)


def test_only_what_came_since_the_start_counts_and_others_are_known() -> None:
    views = records("old", "a") + records("old", "b", partition=1)
    found = tally(Sent(acknowledged=1, sent=1), 1, {(PAGE_VIEW, 0): 1, (PAGE_VIEW, 1): 1}, topics(views))
    assert (found.lost, found.doubled) == (0, 0)


def test_the_end_of_a_transaction_takes_an_offset_and_is_no_event() -> None:
    views = [Raw(b"s", b"old", 1_000, 0, 0), Raw(b"s", b"a", 1_000, 0, 2), Raw(b"s", b"b", 1_000, 0, 3)]
    found = tally(Sent(acknowledged=2, sent=2), 0, {(PAGE_VIEW, 0): 2}, topics(views))
    assert (found.lost, found.doubled) == (0, 0)


def test_a_batch_that_is_there_twice_is_doubled_whatever_was_sent() -> None:
    found = tally(Sent(acknowledged=4, sent=None), 0, {}, topics(records("a", "b", "c", "d", "a", "b", "c", "d", "e")))
    assert (found.lost, found.doubled) == (0, 4)


def test_single_duplicates_are_the_generators_own() -> None:
    assert batches_twice(records("a", "b", "a", "c", "d", "b", "e", "a")) == 0


def test_sessions_without_a_login_are_counted_once() -> None:
    assert without_login({PAGE_VIEW: records("a", "a", "b"), USER_SESSION: records("b", "c")}) == 1
