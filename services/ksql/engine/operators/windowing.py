"""What windowed operators share: stream time, grace, and the rows of a batch that fall into one session.

Stream time is the greatest event time that a partition of an operator has seen. All keys of the partition share it.
"""

from __future__ import annotations

from typing import Any

from services.ksql.engine.operators.base import Context, Key, Row
from services.ksql.engine.state import Store

#: What a windowed operator assumes where the statement has no GRACE PERIOD: 24 hours less the window's size.
DEFAULT_GRACE_MS = 86_400_000


class StreamTime:
    """One stream time for each partition; they survive a restart."""

    def __init__(self, name: str, context: Context) -> None:
        self.store: Store[int] = Store(f"{name}-time", tracked=context.tracked)
        self._context = context

    def now(self, partition: int) -> int:
        return self.store.data.get(partition, -1)

    def advance(self, partition: int, t: int) -> int:
        """The stream time after an event at ``t``."""
        now = self.store.data.get(partition, -1)
        if t <= now:
            return now
        self.store.put(partition, t)
        self._context.stream_time = max(self._context.stream_time, t)
        return t


def grace_of(grace_ms: int | None, size_ms: int) -> int:
    """The grace of a window, in milliseconds."""
    return max(0, DEFAULT_GRACE_MS - size_ms) if grace_ms is None else grace_ms


class SessionRun:
    """Rows that belong to one session, from its end ``first_end`` to its end ``end``."""

    __slots__ = ("count", "end", "first_end", "folded", "key", "partition", "start", "values")

    def __init__(self, key: Key, partition: int, start: int, end: int) -> None:
        self.key = key
        self.partition = partition
        self.start = start
        self.first_end = self.end = end
        self.values: list[Row] = []
        self.count = 0
        #: their states together
        self.folded: list[Any] | None = None
