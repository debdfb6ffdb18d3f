"""Stream-stream join: rows of both sides whose times lie within each other's reach.

With a GRACE PERIOD a row without a partner is emitted once its window has closed, in order of time; without one at once,
as the real server does it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any

from services.ksql.engine.operators.base import Context, Node, Row
from services.ksql.engine.operators.joining import Join
from services.ksql.engine.operators.windowing import StreamTime, grace_of
from services.ksql.engine.partitioning import KeyCache
from services.ksql.engine.records import Window
from services.ksql.engine.state import Store, pack, unpack
from services.ksql.model.plan import JoinStep, JoinType

_LEFT, _RIGHT = 0, 1


class StreamStreamJoin(Join):
    kind = "stream-stream-join"

    def __init__(self, context: Context, step: JoinStep, left: Node, right: Node) -> None:
        super().__init__(context, step, left, right)
        before, after = step.before_ms or 0, step.after_ms or 0
        #: how far each side looks back and ahead on the other one
        self._reach = ((before, after), (after, before))
        self._grace = grace_of(step.grace_ms, before + after)
        self._retention = before + after + self._grace
        self._outer = (
            step.join_type in (JoinType.LEFT, JoinType.FULL),
            step.join_type in (JoinType.RIGHT, JoinType.FULL),
        )
        self._holds_back = step.grace_ms is not None and any(self._outer)
        self._arrivals = 0
        self._windowed = step.left.window is not None
        self._keys = KeyCache(context.encode_key, context.partitions)
        self._clock = StreamTime(self.name, context)
        #: what each side itself has seen, which decides what has left its store
        self._seen = tuple(StreamTime(f"{self.name}-{side}", context) for side in ("left", "right"))
        self._tables = tuple(
            Store[list[list[Any]]](
                f"{self.name}-{side}", tracked=context.tracked, pack_value=_pack_rows, unpack_value=self._unpack_rows
            )
            for side in ("left", "right")
        )
        #: (time, side, number) -> what waits for a partner
        self._waiting: Store[Any] = Store(f"{self.name}-waiting", tracked=context.tracked)
        #: the least time that may be waiting: nothing is closed before it
        self._least_waiting = -1
        self._swept = [-1, -1]

    def _unpack_rows(self, packed: Any) -> list[list[Any]]:
        self._arrivals = max([self._arrivals, *(number for _, number, _ in packed)])
        return [[t, number, unpack(r)] for t, number, r in packed]

    def left_row(self, r: Row, t: int, w: Window | None) -> None:
        self._arrive(_LEFT, self.left_key(r, t, w), r, t, w)

    def right_row(self, r: Row, t: int, w: Window | None) -> None:
        self._arrive(_RIGHT, self.right_key(r, t, w), r, t, w)

    def _arrive(self, side: int, key: Any, r: Row, t: int, w: Window | None) -> None:
        if key is None:
            if self._outer[side]:
                self._send(side, (None,), (r, None), t, w)
            else:
                self.context.stats.drop(self.name, "null_key")
            return
        partition = self._keys.partition((key,))
        slot = (key, w) if self._windowed else (key, None)
        self._keep(side, slot, r, t, partition)
        now = self._clock.advance(partition, t)
        if self._holds_back and t == now:
            self._close(partition, now)
        back, ahead = self._reach[side]
        first, last = max(0, t - back), max(0, t + ahead)
        matched = False
        horizon = self._seen[1 - side].now(partition) - self._retention
        rows = self._tables[1 - side].get(slot) or []
        for index in range(bisect_left(rows, [max(first, horizon + 1)]), len(rows)):
            other_time, number, other = rows[index]
            if other_time > last:
                break
            matched = True
            if self._holds_back:
                self._waiting.delete((other_time, 1 - side, number))
            self._send(side, (key,), (r, other), max(t, other_time), w)
        if not matched and self._outer[side]:
            if not self._holds_back or last + self._grace < now:
                self._send(side, (key,), (r, None), t, w)
            else:
                self._waiting.put((t, side, self._arrivals), (key, r, w, partition))
                self._least_waiting = min(self._least_waiting, t)

    def _send(self, side: int, key: Row, rows: tuple[Row, Row | None], t: int, w: Window | None) -> None:
        left, right = rows if side == _LEFT else (rows[1], rows[0])
        self.down.row(self.combine(key, left, right), t, w)

    def _keep(self, side: int, slot: Any, r: Row, t: int, partition: int) -> None:
        """Stores a row for the other side to find, in order of time."""
        self._arrivals += 1
        table = self._tables[side]
        horizon = self._seen[side].advance(partition, t) - self._retention
        if t <= horizon:
            self.context.stats.drop(self.name, "late")
            return
        rows = table.get(slot) or []
        insort(rows, [t, self._arrivals, r])
        del rows[: bisect_left(rows, [horizon + 1])]
        table.put(slot, rows)
        self._sweep(side, t)

    def _sweep(self, side: int, now: int) -> None:
        """Evicts what is beyond retention of keys that are no longer seen, at most once for each retention."""
        if now < self._swept[side] + self._retention:
            return
        self._swept[side] = now
        table = self._tables[side]
        for slot in list(table.data):
            horizon = self._seen[side].now(self._keys.partition((slot[0],))) - self._retention
            if table.data[slot][-1][0] <= horizon:
                table.delete(slot)

    def _close(self, partition: int, now: int) -> None:
        """Emits what waited in vain: its window, with grace, ends before stream time."""
        ahead = [reach[1] + self._grace for reach in self._reach]
        if self._least_waiting + min(ahead) >= now:
            return
        self._least_waiting = now
        for slot in sorted(self._waiting.data):
            t, side, _ = slot
            if t + min(ahead) >= now:
                self._least_waiting = min(self._least_waiting, t)
                return
            key, r, w, home = self._waiting.data[slot]
            if home != partition or t + ahead[side] >= now:
                self._least_waiting = min(self._least_waiting, t)
                continue
            self._waiting.delete(slot)
            self._send(side, (key,), (r, None), t, w)

    def stores(self) -> tuple[Store[Any], ...]:
        return (*self._tables, self._waiting, self._clock.store, *(clock.store for clock in self._seen))


def _pack_rows(rows: list[list[Any]]) -> Any:
    return [[t, number, pack(r)] for t, number, r in rows]
