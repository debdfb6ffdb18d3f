"""What windowed operators share: stream time, grace, the rows of a batch that fall into one session, and EMIT FINAL.

Stream time is the greatest event time that a partition of an operator has seen. All keys of the partition share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.ksql.engine.operators.base import Context, Entry, Key, Node, Row
from services.ksql.engine.partitioning import KeyCache
from services.ksql.engine.records import Window
from services.ksql.engine.state import Store, encode_key
from services.ksql.model.plan import WindowSpec
from services.ksql.model.schema import WindowType

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

    __slots__ = ("count", "end", "first_end", "folded", "key", "partition", "start")

    def __init__(self, key: Key, partition: int, start: int, end: int) -> None:
        self.key = key
        self.partition = partition
        self.start = start
        self.first_end = self.end = end
        self.count = 0
        #: their states together
        self.folded: list[Any] | None = None


class Suppress(Node):
    """EMIT FINAL: a window's row is held back until stream time passes the window's end and grace.

    As in the real server a time window that left the store before anything could close it is not emitted: its start lies more
    than a retention (size and grace, unless the statement says more) before the newest window's.
    """

    kind = "suppress"

    def __init__(self, context: Context, source: Node, spec: WindowSpec) -> None:
        super().__init__(context, source.layout)
        self.inputs = (source,)
        self._grace = grace_of(spec.grace_ms, spec.size_ms)
        self._advance = spec.advance_ms
        self._is_session = spec.type is WindowType.SESSION
        self._retention = max(spec.retention_ms or 0, spec.size_ms + self._grace)
        #: how far stream time must be past the end; a session is closed one millisecond after its gap and grace
        self._delay = self._grace + spec.size_ms + 1 if self._is_session else self._grace
        self._keys = KeyCache(context.encode_key, context.partitions)
        self._clock = StreamTime(self.name, context)
        #: (end, start, key) -> (row, time)
        self._held: Store[tuple[Row, int]] = Store(self.name, tracked=context.tracked)
        #: for each partition the least end that is held; None until the first row after a start
        self._earliest: dict[int, int] | None = None

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        if w is None:
            raise AssertionError("EMIT FINAL needs a window")
        partition = self._keys.partition(key)
        if self._earliest is None:
            self._earliest = self._least_ends()
        slot = (w[1], w[0], key)
        if new is None:
            self._held.delete(slot)
        else:
            self._held.put(slot, (new, t))
            self._earliest[partition] = min(self._earliest.get(partition, w[1]), w[1])
        now = self._clock.advance(partition, t)
        if self._earliest.get(partition, now) <= now - self._delay:
            self._release(partition, now, self._earliest)

    def _release(self, partition: int, now: int, earliest: dict[int, int]) -> None:
        """Emits closed windows, by end, then by key."""
        horizon = now - self._delay
        oldest = -1 if self._is_session else now // self._advance * self._advance - self._retention
        mine = [slot for slot in self._held.data if self._keys.partition(slot[2]) == partition]
        due = sorted((s for s in mine if s[0] <= horizon), key=lambda s: (s[0], encode_key(s[2]), s[1]))
        for slot in due:
            row, t = self._held.data[slot]
            self._held.delete(slot)
            end, start, key = slot
            if start >= oldest:
                self.down.change(key, row, None, t, (start, end))
            else:
                self.context.stats.drop(self.name, "expired")
        earliest.pop(partition, None)
        left = [s[0] for s in mine if s[0] > horizon]
        if left:
            earliest[partition] = min(left)

    def _least_ends(self) -> dict[int, int]:
        ends: dict[int, int] = {}
        for end, _, key in self._held.data:
            partition = self._keys.partition(key)
            ends[partition] = min(ends.get(partition, end), end)
        return ends

    def find(self, key: Key) -> Iterator[Entry]:
        return (entry for entry in self.inputs[0].find(key) if self._is_final(entry))

    def entries(self) -> Iterator[Entry]:
        return (entry for entry in self.inputs[0].entries() if self._is_final(entry))

    def _is_final(self, entry: Entry) -> bool:
        key, w, _, _ = entry
        return w is None or w[1] <= self._clock.now(self._keys.partition(key)) - self._delay

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        return self.inputs[0].get(key, w)

    def stores(self) -> tuple[Store[Any], ...]:
        return (self._held, self._clock.store)

    def describe(self) -> str:
        return f"grace {self._grace} ms"
