"""Joins: of two streams, of a stream with a table, of two tables on their primary keys or on a foreign key.

Stream-stream: rows of both sides whose times lie within each other's reach. With a GRACE PERIOD a row without a partner is emitted once
its window has closed, in order of time; without one at once, as the real server does it. Stream-table: each row of the stream meets the
table as it is at that moment; changes of the table emit nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any

from services.ksql.engine.column_batch import ColumnBatch, Make, compile_columns, objects
from services.ksql.engine.expressions import compile_one, layout_of
from services.ksql.engine.operators.base import PRESENT, Context, Entry, Key, Node, Row
from services.ksql.engine.operators.windowing import StreamTime, grace_of
from services.ksql.engine.partitioning import KeyCache
from services.ksql.engine.records import Window
from services.ksql.engine.state import Store, pack, unpack
from services.ksql.model.plan import JoinStep, JoinType
from shared.lazy_numpy import np


class Side(Node):
    """Marks the input of a join that a row comes from."""

    kind = "side"

    def __init__(self, context: Context, join: JoinNode, source: Node, *, is_left: bool) -> None:
        super().__init__(context, source.layout)
        self._join = join
        self._is_left = is_left
        source.down = self

    def row(self, r: Row, t: int, w: Window | None) -> None:
        (self._join.left_row if self._is_left else self._join.right_row)(r, t, w)

    def columns(self, batch: ColumnBatch) -> None:
        if self._is_left:
            self._join.left_columns(batch)
        else:
            super().columns(batch)

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        (self._join.left_change if self._is_left else self._join.right_change)(key, new, old, t, w)


class JoinNode(Node):
    """The base of all joins. ``combine`` makes the output row; an absent side gives NULLs."""

    kind = "join"

    def __init__(self, context: Context, step: JoinStep, left: Node, right: Node) -> None:
        super().__init__(context, layout_of(step.schema))
        self.inputs = (left, right)
        self.step = step
        self.left_key = compile_one(step.left_key, left.layout)
        self.right_key = compile_one(step.right_key, right.layout)
        self._no_left: Row = (None,) * len(left.layout.names)
        self._no_right: Row = (None,) * len(right.layout.names)
        self._make = self._maker(step, left, right)
        Side(context, self, left, is_left=True)
        Side(context, self, right, is_left=False)

    def _maker(self, step: JoinStep, left: Node, right: Node) -> Any:
        texts = []
        for column in step.schema.value:
            if column.name in left.layout.names:
                texts.append(left.layout.fragment(column.name, "a") + ", ")
            else:
                texts.append(right.layout.fragment(column.name, "b") + ", ")
        scope: dict[str, Any] = {}
        exec(f"def make(k, a, b): return k + ({''.join(texts)})", scope)  # noqa: S102 - positions only
        return scope["make"]

    def combine(self, key: Key, left: Row | None, right: Row | None) -> Row:
        row: Row = self._make(key, left or self._no_left, right or self._no_right)
        return row

    def left_row(self, r: Row, t: int, w: Window | None) -> None:
        raise AssertionError(f"{self.name} takes no stream on its left")

    def left_columns(self, batch: ColumnBatch) -> None:
        """The same as ``left_row`` for each row."""
        for r, t in batch.timed_rows():
            self.left_row(r, t, None)

    def right_row(self, r: Row, t: int, w: Window | None) -> None:
        raise AssertionError(f"{self.name} takes no stream on its right")

    def left_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        raise AssertionError(f"{self.name} takes no table on its left")

    def right_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        """Changes of a table that is only looked up need no action."""

    def describe(self) -> str:
        return f"{self.step.join_type.value} on {', '.join(self.layout.names[: self.layout.keys])}"


_LEFT, _RIGHT = 0, 1


class StreamStreamJoin(JoinNode):
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
        """Evicts rows beyond retention of keys that are no longer seen, at most once for each retention."""
        if now < self._swept[side] + self._retention:
            return
        self._swept[side] = now
        table = self._tables[side]
        for slot in list(table.data):
            horizon = self._seen[side].now(self._keys.partition((slot[0],))) - self._retention
            if table.data[slot][-1][0] <= horizon:
                table.delete(slot)

    def _close(self, partition: int, now: int) -> None:
        """Emits rows without a partner whose window, with grace, ends before stream time."""
        ahead = [reach[1] + self._grace for reach in self._reach]
        if self._least_waiting + min(ahead) >= now:
            return
        self._least_waiting = now
        for slot in sorted(self._waiting.data):
            t, side, _ = slot
            if t + min(ahead) >= now:
                self._least_waiting = min(self._least_waiting, t)
                return
            key, r, w, its_partition = self._waiting.data[slot]
            if its_partition != partition or t + ahead[side] >= now:
                self._least_waiting = min(self._least_waiting, t)
                continue
            self._waiting.delete(slot)
            self._send(side, (key,), (r, None), t, w)

    def stores(self) -> tuple[Store[Any], ...]:
        return (*self._tables, self._waiting, self._clock.store, *(clock.store for clock in self._seen))


def _pack_rows(rows: list[list[Any]]) -> Any:
    return [[t, number, pack(r)] for t, number, r in rows]


class StreamTableJoin(JoinNode):
    kind = "stream-table-join"

    def __init__(self, context: Context, step: JoinStep, left: Node, right: Node) -> None:
        super().__init__(context, step, left, right)
        self._key_columns = compile_columns([step.left_key], left.layout)

    def left_row(self, r: Row, t: int, w: Window | None) -> None:
        key = self.left_key(r, t, w)
        found = None if key is None else self.inputs[1].get((key,), w if self.step.right.window else None)
        if found is None and self.step.join_type is JoinType.INNER:
            if key is None:
                self.context.stats.drop(self.name, "null_key")
            return
        self.down.row(self.combine((key,), r, None if found is None else found[0]), t, w)

    def left_columns(self, batch: ColumnBatch) -> None:
        if self.step.right.window:
            super().left_columns(batch)
            return
        left, right = self.inputs
        get = right.get
        (key_maker,) = self._key_columns(batch)
        key_column = key_maker()
        keys = key_column.tolist()
        found = {key: None if key is None else get((key,), None) for key in set(keys)}
        if self.step.join_type is JoinType.INNER:
            missing = {key for key, row in found.items() if row is None}
            if missing:
                if None in missing:
                    self.context.stats.drop(self.name, "null_key", keys.count(None))
                kept = np.fromiter((key not in missing for key in keys), dtype=bool, count=len(keys))
                batch, key_column = batch.select(kept), key_column[kept]
                keys = key_column.tolist()
            if not keys:
                return
        nothing = self._no_right
        rows = {key: nothing if row is None else row[0] for key, row in found.items()}

        def right_column(at: int) -> Make:
            return lambda: objects([rows[key][at] for key in keys])

        makers = [lambda: key_column]
        for column in self.step.schema.value:
            if column.name in left.layout.names:
                makers.append(batch.maker(left.layout.names.index(column.name)))
            else:
                makers.append(right_column(right.layout.names.index(column.name)))
        self.down.columns(ColumnBatch(makers, batch.times))


class TableTableJoin(JoinNode):
    """A change of one side meets the present row of the other. What an inner join never had gets no tombstone."""

    kind = "table-table-join"

    def left_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        other = self.inputs[1].get(key, w)
        if other is None:
            if self.step.join_type in (JoinType.LEFT, JoinType.FULL):
                self.down.change(key, self._joined(key, new, None), self._joined(key, old, None), t, w)
            return
        row, time = other[0], max(t, other[1])
        self.down.change(key, self._joined(key, new, row), self._joined(key, old, row), time, w)

    def right_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        other = self.inputs[0].get(key, w)
        if other is None:
            if self.step.join_type in (JoinType.RIGHT, JoinType.FULL):
                self.down.change(key, self._joined(key, None, new), self._joined(key, None, old), t, w)
            return
        row, time = other[0], max(t, other[1])
        self.down.change(key, self._joined(key, row, new), self._joined(key, row, old), time, w)

    def _joined(self, key: Key, left: Row | None, right: Row | None) -> Row | None:
        kind = self.step.join_type
        if left is None and (right is None or kind in (JoinType.INNER, JoinType.LEFT)):
            return None
        if right is None and kind in (JoinType.INNER, JoinType.RIGHT):
            return None
        if left is PRESENT or right is PRESENT:
            return PRESENT
        return self.combine(key, left, right)

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        left, right = self.inputs[0].get(key, w), self.inputs[1].get(key, w)
        row = self._joined(key, left and left[0], right and right[0])
        if row is None:
            return None
        return row, max(side[1] for side in (left, right) if side is not None)

    def entries(self) -> Iterator[Entry]:
        seen = set()
        for node in self.inputs:
            for key, w, _, _ in node.entries():
                found = None if (key, w) in seen else self.get(key, w)
                seen.add((key, w))
                if found is not None:
                    yield key, w, found[0], found[1]


class ForeignKeyJoin(JoinNode):
    """A left row is kept under its foreign key, so that a change on the right finds all left rows that refer to it."""

    kind = "foreign-key-join"

    def __init__(self, context: Context, step: JoinStep, left: Node, right: Node) -> None:
        super().__init__(context, step, left, right)
        left.want_old()
        self._is_inner = step.join_type is JoinType.INNER
        #: foreign key -> {left key: time of the left row}
        self._subscribers: Store[dict[Key, int]] = Store(
            self.name,
            tracked=context.tracked,
            pack_value=lambda value: [[list(key), t] for key, t in value.items()],
            unpack_value=lambda packed: {tuple(key): t for key, t in packed},
        )

    def left_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        before = None if old is None else self.left_key(old, t, w)
        now = None if new is None else self.left_key(new, t, w)
        self._resubscribe(key, before, now, t)
        joined_before = None if old is None else self._joined(key, old, before)
        if new is None:
            if old is not None and (before is not None or not self._is_inner):
                self.down.change(key, None, joined_before, self._time(t, before), w)
        elif now is not None:
            joined = self._joined(key, new, now)
            if joined is not None or before is not None:
                self.down.change(key, joined, joined_before, self._time(t, now), w)
        elif not self._is_inner:
            self.down.change(key, self.combine(key, new, None), joined_before, self._time(t, before), w)
        else:
            self.context.stats.drop(self.name, "null_key")
            if before is not None:
                self.down.change(key, None, joined_before, self._time(t, before), w)

    def _joined(self, key: Key, left: Row, foreign: Any) -> Row | None:
        """A left row with the right row of its foreign key; None where an inner join has none."""
        right = None if foreign is None else self.inputs[1].get((foreign,), None)
        return None if right is None and self._is_inner else self.combine(key, left, right and right[0])

    def _time(self, t: int, foreign: Any) -> int:
        """The time of a change of the left row: not before that of the right row that it is, or was, joined with."""
        right = None if foreign is None else self.inputs[1].get((foreign,), None)
        return t if right is None else max(t, right[1])

    def _resubscribe(self, key: Key, before: Any, now: Any, t: int) -> None:
        if before is not None and before != now:
            self._unsubscribe(before, key)
        if now is not None:
            subscribers = self._subscribers.get((now,)) or {}
            subscribers[key] = t
            self._subscribers.put((now,), subscribers)

    def _unsubscribe(self, foreign: Any, key: Key) -> None:
        subscribers = self._subscribers.get((foreign,)) or {}
        subscribers.pop(key, None)
        if subscribers:
            self._subscribers.put((foreign,), subscribers)
        else:
            self._subscribers.delete((foreign,))

    def right_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        subscribers = self._subscribers.get(key) or {}
        for left_key, subscribed in sorted(subscribers.items(), key=lambda item: self._order(item[0])):
            left = self.inputs[0].get(left_key, None)
            if left is None:
                continue
            row = None if new is None and self._is_inner else self.combine(left_key, left[0], new)
            had = old is not None or not self._is_inner
            before = self.combine(left_key, left[0], old) if had and old is not PRESENT else PRESENT if had else None
            if row is not None or before is not None:
                self.down.change(left_key, row, before, max(t, subscribed), w)

    def _order(self, key: Key) -> bytes:
        """The left rows of a foreign key change in the order of their keys' bytes, as Kafka Streams keeps them."""
        return self.context.encode_key(key) or b""

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        left = self.inputs[0].get(key, w)
        if left is None:
            return None
        foreign = self.left_key(left[0], left[1], w)
        right = None if foreign is None else self.inputs[1].get((foreign,), None)
        if right is None:
            return None if self._is_inner else (self.combine(key, left[0], None), left[1])
        return self.combine(key, left[0], right[0]), max(left[1], right[1])

    def entries(self) -> Iterator[Entry]:
        for key, w, _, _ in self.inputs[0].entries():
            found = self.get(key, w)
            if found is not None:
                yield key, w, found[0], found[1]

    def stores(self) -> tuple[Store[Any], ...]:
        return (self._subscribers,)
