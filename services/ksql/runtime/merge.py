"""Merges the partitions of a query by event time.

The engine's stream time is the highest event time seen. Were partitions read one after the other, the first would push it
so far ahead that the others count as late (a real ksqlDB lost half of a backlog that way). So the record with the smallest
event time among the heads of all partitions goes first. A partition that is empty here but known to hold more is waited
for; one that is at its end is not, or a quiet partition would stop the query.

That leaves a race: of a burst of old events that is written just now, one partition shows up here some milliseconds before
the others, which seem to be at their end. So a record that would advance the stream time, and is no live event, waits
until the empty partitions were polled once more after it arrived. Live traffic never waits for that.

Many records are merged at once: taking the smallest head, again and again, gives the same order as sorting all records by the
greatest event time that their partition has shown up to them, so a late record follows its forerunner at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.ksql.engine.chunk import Chunk, ChunkSlice, Integers, MergedBatch
from services.ksql.runtime.broker import TopicPartition

#: records without a usable event time are taken at once: the engine drops and counts them
_AT_ONCE = -1
#: an event not older than this belongs to live traffic
_LIVE_MS = 10_000
#: how long after a record the empty partitions must have been polled: a busy producer sends to its partitions one by one,
#: and replication makes them readable at different moments
_MARGIN_MS = 300
#: no record waits longer than this for partitions that cannot be polled
_PATIENCE_MS = 3_000
#: later than every event
NEVER = 1 << 62
_NOTHING = MergedBatch((), np.empty(0, dtype=np.int64))


@dataclass(slots=True)
class _Held:
    """A chunk that came at ``arrived``, of which the records before ``start`` have been taken."""

    chunk: Chunk
    times: Integers
    arrived: int
    start: int = 0


class _Queue:
    """The records of one partition that are here."""

    __slots__ = ("at_end", "held", "polled_ms", "released_ms", "size")

    def __init__(self) -> None:
        self.held: deque[_Held] = deque()
        self.size = 0
        self.at_end = False
        self.polled_ms = 0
        self.released_ms = 0

    @property
    def complete_ms(self) -> int:
        """Records that arrived until then need not wait for this partition: nothing older will arrive in it."""
        return max(self.polled_ms - _MARGIN_MS, self.released_ms)

    @property
    def head(self) -> int:
        """The event time of the first record."""
        held = self.held[0]
        return int(held.times[held.start])

    def first(self, count: int) -> tuple[list[ChunkSlice], list[Integers], list[int]]:
        """Up to ``count`` records in pieces, with their event times and times of arrival."""
        slices, times, arrived = [], [], []
        for held in self.held:
            end = min(len(held.chunk), held.start + count)
            slices.append(ChunkSlice(held.chunk, held.start, end))
            times.append(held.times[held.start : end])
            arrived.append(held.arrived)
            count -= end - held.start
            if not count:
                break
        return slices, times, arrived

    def drop(self, count: int) -> None:
        """Removes the first ``count`` records."""
        self.size -= count
        while count:
            held = self.held[0]
            left = len(held.chunk) - held.start
            if count < left:
                held.start += count
                return
            count -= left
            self.held.popleft()


class EventTimeMerger:
    """A pure data structure: chunks in by partition, records out by event time. Ties go to the partition that was opened first.

    ``event_times`` gives the event times of a chunk, -1 for records that have none. Times of arrival and of looking
    (``now_ms``, ``checked_ms``) are given by the caller, in milliseconds of the wall clock.
    """

    def __init__(self, event_times: Callable[[Chunk], Integers]) -> None:
        self._event_times = event_times
        self._ranks: dict[TopicPartition, int] = {}
        self._queues: list[_Queue] = []
        self._waiting: set[int] = set()
        self._horizon = _AT_ONCE
        self.size = 0
        #: whether the next record waits for a poll of the empty partitions
        self.holding = False

    def open(self, tp: TopicPartition) -> None:
        """A new partition, not known to be at its end: nothing comes out until its first records or its end are known."""
        rank = self._ranks[tp] = len(self._queues)
        self._queues.append(_Queue())
        self._waiting.add(rank)

    def backlog(self, tp: TopicPartition) -> int:
        """How many records of ``tp`` are here and not taken yet."""
        return self._queues[self._ranks[tp]].size

    def is_waiting_for(self, tp: TopicPartition) -> bool:
        """Whether nothing is taken until more of ``tp``, or its end, is known."""
        return self._ranks[tp] in self._waiting

    @property
    def ready(self) -> bool:
        """Whether ``take`` may give something."""
        return bool(self.size) and not self._waiting and not self.holding

    @property
    def next_ms(self) -> int:
        """The event time of the next record. As long as some partition is waited for, nothing newer than the last one is certain."""
        head = min((queue.head for queue in self._queues if queue.size), default=NEVER)
        return min(head, self._horizon) if self._waiting else head

    def add(self, tp: TopicPartition, chunk: Chunk | None, *, at_end: bool, now_ms: int = 0) -> None:
        """Appends what was fetched of ``tp``; ``at_end`` says whether the broker holds nothing beyond it."""
        rank = self._ranks[tp]
        queue = self._queues[rank]
        if chunk is not None and len(chunk):
            queue.held.append(_Held(chunk, self._event_times(chunk), now_ms))
            queue.size += len(chunk)
            self.size += len(chunk)
        queue.at_end = at_end
        if queue.size or at_end:
            self._waiting.discard(rank)
        else:
            self._waiting.add(rank)
        self.holding = False

    def mark_polled(self, tp: TopicPartition, checked_ms: int) -> None:
        """The broker said at ``checked_ms`` that ``tp`` ends where it is known to end."""
        self._queues[self._ranks[tp]].polled_ms = checked_ms
        self.holding = False

    def release(self, tp: TopicPartition, now_ms: int) -> None:
        """Nothing older will arrive in ``tp``: records that arrived until ``now_ms`` need not wait for a poll of it."""
        self._queues[self._ranks[tp]].released_ms = now_ms
        self.holding = False

    def take(self, limit: int, now_ms: int = 0, until_ms: int = NEVER) -> MergedBatch:
        """Up to ``limit`` records that may go now, none newer than ``until_ms``; none at all only if something is waited for,
        or nothing so old is here."""
        heads = [] if self._waiting else [_Head(rank, queue) for rank, queue in enumerate(self._queues) if queue.size]
        if not heads:
            return _NOTHING
        before = 0
        for head in heads:
            head.peek(max(1, limit // len(heads)), before)
            before += len(head)
        order = np.argsort(np.concatenate([head.keys for head in heads]), kind="stable")
        # a partition with more records than these: nothing behind the last of them may be taken yet
        ends = [int(np.flatnonzero(order == head.last)[0]) for head in heads if head.goes_on]
        order = order[: min([limit, *(end + 1 for end in ends)])]
        times = np.concatenate([part for head in heads for part in head.times])[order]
        newer = times > until_ms
        if newer.any():
            order = order[: int(newer.argmax())]
        if len(order):
            order = order[: self._held_back(heads, order, times[: len(order)], now_ms)]
        self._horizon = max(self._horizon, int(times[: len(order)].max(initial=_AT_ONCE)))
        return self._taken(heads, order, times[: len(order)])

    def _held_back(self, heads: Sequence[_Head], order: Integers, times: Integers, now_ms: int) -> int:
        """How many of these records come before one that waits for a poll of the empty partitions."""
        complete = np.full(len(order), min((q.complete_ms for q in self._queues if not q.size), default=NEVER))
        for head in heads:
            if not head.goes_on:
                emptied = np.flatnonzero(order == head.last)
                if len(emptied):
                    after = int(emptied[0]) + 1
                    complete[after:] = np.minimum(complete[after:], head.queue.complete_ms)
        if complete[-1] == NEVER:
            return len(order)
        arrived = np.concatenate([head.arrived() for head in heads])[order]
        before = np.maximum.accumulate(np.concatenate(([self._horizon], times)))[:-1]
        waits = (times > before) & (times < now_ms - _LIVE_MS)
        waits &= (arrived > complete) & (arrived > now_ms - _PATIENCE_MS)
        first = int(waits.argmax())
        self.holding = bool(waits[first])
        return first if self.holding else len(order)

    def _taken(self, heads: Sequence[_Head], order: Integers, times: Integers) -> MergedBatch:
        """Takes the records out of their queues."""
        numbers = np.repeat(np.arange(len(heads)), [len(head) for head in heads])[order]
        counts = np.bincount(numbers, minlength=len(heads)).tolist()
        slices: list[ChunkSlice] = []
        shifts, left = [], 0
        for head, count in zip(heads, counts, strict=True):
            shifts.append(left)
            left += len(head) - count
            slices += head.take(count)
            if not head.queue.size and not head.queue.at_end:
                self._waiting.add(head.rank)
        self.size -= len(order)
        usable = times[times >= 0]
        return MergedBatch(slices, order - np.asarray(shifts)[numbers], int(usable.min()) if len(usable) else None)


class _Head:
    """The next records of a queue, as far as one ``take`` looks: ``last`` is the number of the last one of them."""

    __slots__ = ("_arrived", "_slices", "goes_on", "keys", "last", "queue", "rank", "times")

    def __init__(self, rank: int, queue: _Queue) -> None:
        self.rank = rank
        self.queue = queue

    def peek(self, count: int, before: int) -> None:
        """Reads up to ``count`` records, which are numbered from ``before`` on."""
        self._slices, self.times, self._arrived = self.queue.first(count)
        self.keys = np.maximum.accumulate(np.concatenate(self.times))
        self.last = before + len(self.keys) - 1
        self.goes_on = len(self.keys) < self.queue.size or not self.queue.at_end

    def __len__(self) -> int:
        return len(self.keys)

    def arrived(self) -> Integers:
        return np.repeat(self._arrived, [len(chunk_slice) for chunk_slice in self._slices])

    def take(self, count: int) -> list[ChunkSlice]:
        """Takes the first ``count`` records out of the queue."""
        self.queue.drop(count)
        merged = []
        for chunk_slice in self._slices:
            if count:
                merged.append(
                    ChunkSlice(chunk_slice.chunk, chunk_slice.start, min(chunk_slice.end, chunk_slice.start + count))
                )
                count -= len(merged[-1])
        return merged
