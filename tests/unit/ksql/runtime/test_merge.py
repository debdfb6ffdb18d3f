"""Merging by event time: any cut into fetches gives event-time order over partitions whose own order is right."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.ksql.engine.chunk import Chunk, Integers, MergedBatch
from services.ksql.engine.records import InputRecord
from services.ksql.runtime.broker import TopicPartition
from services.ksql.runtime.merge import EventTimeMerger

_NOW = 1_760_000_000_000


def record(partition: int, offset: int, timestamp: int) -> InputRecord:
    return InputRecord("t", partition, offset, timestamp, None, b"")


def chunk(records: list[InputRecord]) -> Chunk | None:
    return Chunk.of(records) if records else None


def event_times(given: Chunk) -> Integers:
    return given.timestamps


def merger(tps: int) -> EventTimeMerger:
    made = EventTimeMerger(event_times)
    for partition in range(tps):
        made.open(TopicPartition("t", partition))
    return made


def times(merged: MergedBatch | list[InputRecord]) -> list[int]:
    return [r.timestamp for r in (merged.records() if isinstance(merged, MergedBatch) else merged)]


def merged(pending: list[list[InputRecord]], cuts: object, limit: int, *, least: int) -> list[InputRecord]:
    """Fetches the partitions ``least`` to 4 records at a time, in an order that ``cuts`` chooses, and takes what may go."""
    made = merger(len(pending))
    out: list[InputRecord] = []
    open_partitions = set(range(len(pending)))
    while open_partitions:
        partition = cuts.choice(sorted(open_partitions))  # type: ignore[attr-defined]
        size = cuts.randint(least, 4)  # type: ignore[attr-defined]
        fetched, pending[partition] = pending[partition][:size], pending[partition][size:]
        made.add(TopicPartition("t", partition), chunk(fetched), at_end=not pending[partition])
        if not pending[partition]:
            open_partitions.discard(partition)
        out += made.take(limit).records()
    while merged := made.take(limit):
        out += merged.records()
    assert made.size == 0
    return out


@given(
    tps=st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=1, max_size=4),
    cuts=st.randoms(use_true_random=False),
    limit=st.integers(1, 5),
)
def test_a_backlog_comes_out_in_event_time_order_however_it_is_fetched(
    tps: list[list[int]], cuts: object, limit: int
) -> None:
    pending = [[record(p, offset, time) for offset, time in enumerate(sorted(tp))] for p, tp in enumerate(tps)]
    out = merged(pending, cuts, limit, least=0)
    assert times(out) == sorted(t for tp in tps for t in tp)
    for p in range(len(tps)):
        assert [r.offset for r in out if r.partition == p] == list(range(len(tps[p])))


def test_a_partition_that_holds_more_is_waited_for_and_one_at_its_end_is_not() -> None:
    made = merger(2)
    made.add(TopicPartition("t", 0), chunk([record(0, 0, 5), record(0, 1, 9)]), at_end=True)
    assert not made.ready
    assert made.is_waiting_for(TopicPartition("t", 1))
    made.add(TopicPartition("t", 1), chunk([record(1, 0, 7)]), at_end=False)
    assert times(made.take(10)) == [5, 7]
    assert made.is_waiting_for(TopicPartition("t", 1))
    made.add(TopicPartition("t", 1), chunk([]), at_end=True)
    assert times(made.take(10)) == [9]


def test_records_without_an_event_time_go_at_once_and_ties_go_to_the_first_partition() -> None:
    made = merger(2)
    made.add(TopicPartition("t", 0), chunk([record(0, 0, 3)]), at_end=True)
    made.add(TopicPartition("t", 1), chunk([record(1, 0, 3), record(1, 1, -1)]), at_end=True)
    assert [(r.partition, r.offset) for r in made.take(10).records()] == [(0, 0), (1, 0), (1, 1)]
    made.add(TopicPartition("t", 0), chunk([record(0, 1, 8)]), at_end=True)
    made.add(TopicPartition("t", 1), chunk([record(1, 2, -1)]), at_end=True)
    assert times(made.take(10)) == [-1, 8]


def test_an_old_burst_waits_for_a_poll_of_the_empty_partitions() -> None:
    made = merger(2)
    made.add(TopicPartition("t", 1), chunk([]), at_end=True, now_ms=_NOW)
    made.mark_polled(TopicPartition("t", 1), _NOW)
    made.add(TopicPartition("t", 0), chunk([record(0, 0, 1_000), record(0, 1, 900)]), at_end=True, now_ms=_NOW + 1)
    assert times(made.take(10, _NOW + 2)) == []
    assert made.holding
    made.add(TopicPartition("t", 1), chunk([record(1, 0, 500)]), at_end=True, now_ms=_NOW + 40)
    assert times(made.take(10, _NOW + 41)) == [500]
    made.mark_polled(TopicPartition("t", 1), _NOW + 400)
    assert times(made.take(10, _NOW + 401)) == [1_000, 900]


def test_a_released_partition_is_not_waited_for_by_what_is_here() -> None:
    made = merger(2)
    made.add(TopicPartition("t", 1), chunk([]), at_end=True, now_ms=_NOW)
    made.mark_polled(TopicPartition("t", 1), _NOW)
    made.add(TopicPartition("t", 0), chunk([record(0, 0, 1_000)]), at_end=True, now_ms=_NOW + 1)
    made.release(TopicPartition("t", 1), _NOW + 1)
    made.mark_polled(TopicPartition("t", 1), _NOW - 50)  # an older poll changes nothing
    assert times(made.take(10, _NOW + 2)) == [1_000]
    made.add(TopicPartition("t", 0), chunk([record(0, 1, 2_000)]), at_end=True, now_ms=_NOW + 2)
    assert times(made.take(10, _NOW + 3)) == []


def test_live_events_and_late_ones_do_not_wait() -> None:
    made = merger(2)
    made.add(TopicPartition("t", 1), chunk([]), at_end=True, now_ms=_NOW)
    made.add(
        TopicPartition("t", 0), chunk([record(0, 0, _NOW - 5), record(0, 1, _NOW - 60_000)]), at_end=True, now_ms=_NOW
    )
    assert times(made.take(10, _NOW)) == [_NOW - 5, _NOW - 60_000]


def test_the_wait_for_a_partition_that_is_not_polled_ends() -> None:
    made = merger(2)
    made.add(TopicPartition("t", 1), chunk([]), at_end=True, now_ms=_NOW)
    made.add(TopicPartition("t", 0), chunk([record(0, 0, 10)]), at_end=True, now_ms=_NOW)
    assert times(made.take(10, _NOW + 100)) == []
    made.mark_polled(TopicPartition("t", 0), 0)
    assert times(made.take(10, _NOW + 4_000)) == [10]


@given(
    tps=st.lists(st.lists(st.integers(-1, 20), max_size=12), min_size=1, max_size=4),
    cuts=st.randoms(use_true_random=False),
    limit=st.integers(1, 9),
)
def test_the_smallest_head_goes_first_however_disordered_the_partitions_are(
    tps: list[list[int]], cuts: object, limit: int
) -> None:
    expected = []
    left = {p: list(enumerate(tp)) for p, tp in enumerate(tps) if tp}
    while left:
        first = min(left, key=lambda p: (left[p][0][1], p))
        expected.append((first, left[first].pop(0)[0]))
        if not left[first]:
            del left[first]
    pending = [[record(p, offset, time) for offset, time in enumerate(tp)] for p, tp in enumerate(tps)]
    out = merged(pending, cuts, limit, least=1)
    assert [(r.partition, r.offset) for r in out] == expected


def test_nothing_newer_than_asked_for_is_taken() -> None:
    made = merger(2)
    made.add(TopicPartition("t", 0), chunk([record(0, 0, 5), record(0, 1, 30), record(0, 2, 6)]), at_end=True)
    made.add(TopicPartition("t", 1), chunk([record(1, 0, 10), record(1, 1, 12)]), at_end=True)
    assert made.next_ms == 5
    merged = made.take(10, until_ms=11)
    assert (times(merged), merged.oldest) == ([5, 10], 5)
    assert not made.take(10, until_ms=11)
    assert made.next_ms == 12
    assert times(made.take(10)) == [12, 30, 6]
