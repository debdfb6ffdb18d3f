"""Reads several partitions in step by event time.

The engine's stream time is the highest event time seen. Were partitions read one after the other, the first would push it
so far ahead that the others count as late (a real ksqlDB lost half of a backlog that way). So the record with the smallest
event time among the heads of all partitions goes first. A partition that is empty here but known to hold more is waited
for; one that is at its end is not, or a quiet partition would stop the query.

That leaves a race: of a burst of old events that is written just now, one partition shows up here some milliseconds before
the others, which seem to be at their end. So a record that would move the stream time, and is not of this moment, waits
until the empty partitions were looked at once more after it came. Live traffic never waits for that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from services.ksql.engine.records import InputRecord
from services.ksql.runtime.broker import Lane

#: records without a usable event time are handed on at once: the engine drops and counts them
_AT_ONCE = -1
#: later than every event
NEVER = 1 << 63
#: an event not older than this belongs to live traffic
_LIVE_MS = 10_000
#: how long after a record the empty partitions must have been looked at: a busy producer sends to its partitions in turn,
#: and replication makes them readable at different moments
_MARGIN_MS = 300
#: no record waits longer than this for partitions that nobody can look at
_PATIENCE_MS = 3_000


class _Queue:
    """The records of one lane that are here. ``batches`` are [time of arrival, records left] of what was fetched together."""

    __slots__ = ("at_end", "batches", "checked", "records")

    def __init__(self) -> None:
        self.records: deque[InputRecord] = deque()
        self.batches: deque[list[int]] = deque()
        self.at_end = False
        self.checked = 0

    def settle(self, taken: int) -> None:
        """Forgets the batches of which all has been taken."""
        while taken:
            batch = self.batches[0]
            if batch[1] > taken:
                batch[1] -= taken
                return
            taken -= batch[1]
            self.batches.popleft()


class InStepMerger:
    """A pure data structure: records in by lane, records out by event time. Ties go to the lane that was opened first.

    Times of arrival and of looking (``now_ms``, ``checked_ms``) are given by the caller, in milliseconds of the wall clock.
    """

    def __init__(self, event_time: Callable[[InputRecord], int | None]) -> None:
        self._event_time = event_time
        self._ranks: dict[Lane, int] = {}
        self._queues: list[_Queue] = []
        self._heads: list[tuple[int, int]] = []
        self._waiting: set[int] = set()
        self._horizon = _AT_ONCE
        self.size = 0
        #: whether the next record waits for a look at the empty lanes
        self.holding = False

    def open(self, lane: Lane) -> None:
        """A new lane, not known to be at its end: nothing comes out until its first records or its end are known."""
        rank = self._ranks[lane] = len(self._queues)
        self._queues.append(_Queue())
        self._waiting.add(rank)

    def backlog(self, lane: Lane) -> int:
        """How many records of ``lane`` are here and not taken yet."""
        return len(self._queues[self._ranks[lane]].records)

    def is_waiting_for(self, lane: Lane) -> bool:
        """Whether everything stands still until more of ``lane``, or its end, is known."""
        return self._ranks[lane] in self._waiting

    @property
    def ready(self) -> bool:
        """Whether ``take`` may give something."""
        return bool(self._heads) and not self._waiting and not self.holding

    @property
    def next_ms(self) -> int:
        """The event time of the next record. As long as some lane is waited for, nothing newer than the last one is certain."""
        head = self._heads[0][0] if self._heads else NEVER
        return min(head, self._horizon) if self._waiting else head

    def add(self, lane: Lane, records: Iterable[InputRecord], *, at_end: bool, now_ms: int = 0) -> None:
        """Appends what was fetched of ``lane``; ``at_end`` says whether the broker holds nothing beyond it."""
        rank = self._ranks[lane]
        queue = self._queues[rank]
        before = len(queue.records)
        queue.records.extend(records)
        added = len(queue.records) - before
        if added:
            self.size += added
            queue.batches.append([now_ms, added])
            if not before:
                heappush(self._heads, (self._time(queue.records[0]), rank))
        queue.at_end = at_end
        if queue.records or at_end:
            self._waiting.discard(rank)
        else:
            self._waiting.add(rank)
        self.holding = False

    def confirm(self, lane: Lane, checked_ms: int) -> None:
        """The broker said at ``checked_ms`` that ``lane`` ends where it is known to end."""
        self._queues[self._ranks[lane]].checked = checked_ms
        self.holding = False

    def take(self, limit: int, now_ms: int = 0, until_ms: int = NEVER) -> list[InputRecord]:
        """Up to ``limit`` records that may go now, none newer than ``until_ms``."""
        taken: list[InputRecord] = []
        heads = self._heads
        looked = self._looked_at()
        live, patience = now_ms - _LIVE_MS, now_ms - _PATIENCE_MS
        horizon, event_time = self._horizon, self._event_time
        while heads and heads[0][0] <= until_ms and len(taken) < limit and not self._waiting:
            time, rank = heappop(heads)
            queue = self._queues[rank]
            records = queue.records
            # the lane goes on up to the head of the next one; among equal times the lower rank goes first
            bound = heads[0][0] + (heads[0][1] > rank) if heads else NEVER
            arrived, left = queue.batches[0]
            before = len(taken)
            while True:
                if time > horizon:
                    if time < live and arrived > looked and arrived > patience:
                        self.holding = True
                        heappush(heads, (time, rank))
                        break
                    horizon = time
                taken.append(records.popleft())
                if not records:
                    queue.settle(len(taken) - before)
                    before = len(taken)
                    if not queue.at_end:
                        self._waiting.add(rank)
                    looked = self._looked_at()
                    break
                left -= 1
                if not left:
                    queue.settle(len(taken) - before)
                    before = len(taken)
                    arrived, left = queue.batches[0]
                head = event_time(records[0])
                time = _AT_ONCE if head is None else head
                if time >= bound or time > until_ms or len(taken) >= limit:
                    heappush(heads, (time, rank))
                    break
            queue.settle(len(taken) - before)
            if self.holding:
                break
        self._horizon = horizon
        self.size -= len(taken)
        return taken

    def _looked_at(self) -> int:
        """Records that came up to this time need not wait: every empty lane was looked at since."""
        empty = [queue.checked - _MARGIN_MS for queue in self._queues if not queue.records]
        return min(empty, default=1 << 62)

    def _time(self, record: InputRecord) -> int:
        time = self._event_time(record)
        return _AT_ONCE if time is None else time
