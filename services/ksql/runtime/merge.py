"""Reads several partitions in step by event time.

The engine's stream time is the highest event time seen. Were partitions read one after the other, the first would push it
so far ahead that the others count as late (a real ksqlDB lost half of a backlog that way). So the record with the smallest
event time among the heads of all partitions goes first. A partition that is empty here but known to hold more is waited
for; one that is at its end is not, or a quiet partition would stop the query.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from services.ksql.engine.records import InputRecord
from services.ksql.runtime.broker import Lane

#: records without a usable event time are handed on at once: the engine drops and counts them
_AT_ONCE = -1


class InStepMerger:
    """A pure data structure: records in by lane, records out by event time. Ties go to the lane that was opened first."""

    def __init__(self, event_time: Callable[[InputRecord], int | None]) -> None:
        self._event_time = event_time
        self._ranks: dict[Lane, int] = {}
        self._queues: list[deque[InputRecord]] = []
        self._at_end: list[bool] = []
        self._heads: list[tuple[int, int]] = []
        self._waiting: set[int] = set()
        self.size = 0

    def open(self, lane: Lane) -> None:
        """A new lane, not known to be at its end: nothing comes out until its first records or its end are known."""
        rank = self._ranks[lane] = len(self._queues)
        self._queues.append(deque())
        self._at_end.append(False)
        self._waiting.add(rank)

    def backlog(self, lane: Lane) -> int:
        """How many records of ``lane`` are here and not taken yet."""
        return len(self._queues[self._ranks[lane]])

    def is_waiting_for(self, lane: Lane) -> bool:
        """Whether everything stands still until more of ``lane``, or its end, is known."""
        return self._ranks[lane] in self._waiting

    @property
    def ready(self) -> bool:
        """Whether ``take`` would give something."""
        return bool(self._heads) and not self._waiting

    def add(self, lane: Lane, records: Iterable[InputRecord], *, at_end: bool) -> None:
        """Appends what was fetched of ``lane``; ``at_end`` says whether the broker holds nothing beyond it."""
        rank = self._ranks[lane]
        queue = self._queues[rank]
        before = len(queue)
        queue.extend(records)
        self.size += len(queue) - before
        self._at_end[rank] = at_end
        if not before and queue:
            heappush(self._heads, (self._time(queue[0]), rank))
        if queue or at_end:
            self._waiting.discard(rank)
        else:
            self._waiting.add(rank)

    def take(self, limit: int) -> list[InputRecord]:
        """Up to ``limit`` records that may go now."""
        taken: list[InputRecord] = []
        heads = self._heads
        while heads and len(taken) < limit and not self._waiting:
            rank = heappop(heads)[1]
            queue = self._queues[rank]
            bound = heads[0] if heads else None
            while True:
                taken.append(queue.popleft())
                if not queue:
                    if not self._at_end[rank]:
                        self._waiting.add(rank)
                    break
                head = (self._time(queue[0]), rank)
                if len(taken) >= limit or (bound is not None and head > bound):
                    heappush(heads, head)
                    break
        self.size -= len(taken)
        return taken

    def _time(self, record: InputRecord) -> int:
        time = self._event_time(record)
        return _AT_ONCE if time is None else time
