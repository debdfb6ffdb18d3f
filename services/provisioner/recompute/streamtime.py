"""How far stream time can have been when a record was aggregated.

A record is dropped when its window ended more than the grace before stream time, the greatest event time seen by then. That depends on
the order in which partitions were read, which no topic records. So it is bounded: stream time was at least the greatest event time
before the record in its own partition and group, and at most the greatest of all records that had arrived by then. Between the two,
a record may or may not have been counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum, auto
from itertools import accumulate


class Verdict(Enum):
    IN = auto()
    OUT = auto()
    UNSURE = auto()


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the greatest that stream time (ms) can have been, the record itself included."""

    low: int
    high: int

    def judge(self, closes: int, *, strict: bool = False) -> Verdict:
        """Whether a record counts whose window closes for good at stream time ``closes`` (its end plus the grace); ``strict``
        for sessions, which still count at exactly that time."""
        if _open(closes, self.high, strict):
            return Verdict.IN
        return Verdict.UNSURE if _open(closes, self.low, strict) else Verdict.OUT


def _open(closes: int, stream_time: int, strict: bool) -> bool:
    return closes >= stream_time if strict else closes > stream_time


class Arrivals:
    """Greatest event time by arrival, in buckets of one second: small however long the topic, and whatever times its records have."""

    _BUCKET_MS = 1_000

    def __init__(self, slack_ms: int) -> None:
        self._slack_ms = slack_ms
        self._newest: dict[int, int] = {}
        self._buckets: list[int] = []
        self._running: list[int] = []

    def note(self, arrival: int, time: int) -> None:
        """First pass: a record that arrived at ``arrival`` with event time ``time``."""
        bucket = arrival // self._BUCKET_MS
        self._newest[bucket] = max(time, self._newest.get(bucket, -1))

    def seal(self) -> None:
        """After the first pass: makes ``greatest_by`` ready."""
        self._buckets = sorted(self._newest)
        self._running = list(accumulate((self._newest[bucket] for bucket in self._buckets), max))

    def greatest_by(self, arrival: int) -> int:
        """The greatest event time of what had arrived by then, or within the slack after it."""
        index = bisect_right(self._buckets, (arrival + self._slack_ms) // self._BUCKET_MS) - 1
        return self._running[index] if index >= 0 else -1


class Lows:
    """Greatest event time so far by partition and group."""

    def __init__(self) -> None:
        self._newest: dict[tuple[int, str], int] = defaultdict(lambda: -1)

    def advance(self, partition: int, group: str, time: int) -> int:
        key = (partition, group)
        self._newest[key] = max(self._newest[key], time)
        return self._newest[key]
