"""Table-table join in which the left table names the primary key of the right one in one of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.ksql.engine.operators.base import PRESENT, Context, Entry, Key, Node, Row
from services.ksql.engine.operators.joining import Join
from services.ksql.engine.records import Window
from services.ksql.engine.state import Store, encode_key
from services.ksql.model.plan import JoinStep, JoinType


class ForeignKeyJoin(Join):
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
        if before is not None and before != now:
            self._unsubscribe(before, key)
        if now is not None:
            subscribers = self._subscribers.get((now,)) or {}
            subscribers[key] = t
            self._subscribers.put((now,), subscribers)
        found = None if now is None else self.inputs[1].get((now,), None)
        right = found and found[0]
        # a row that leaves is timed by what it was joined with
        partner = self.inputs[1].get((before,), None) if now is None and before is not None else found
        time = t if partner is None else max(t, partner[1])
        old_row = self._old_row(key, old, before)
        row = None if new is None or (self._is_inner and right is None) else self.combine(key, new, right)
        if new is not None and now is None and self._is_inner:
            self.context.stats.drop(self.name, "null_key")
            if before is None:
                return
        if row is None and (old is None or (before is None and self._is_inner)):
            return
        self.down.change(key, row, old_row, time, w)

    def _old_row(self, key: Key, old: Row | None, foreign: Any) -> Row | None:
        if old is None:
            return None
        found = None if foreign is None else self.inputs[1].get((foreign,), None)
        return None if found is None and self._is_inner else self.combine(key, old, found and found[0])

    def _unsubscribe(self, foreign: Any, key: Key) -> None:
        subscribers = self._subscribers.get((foreign,)) or {}
        subscribers.pop(key, None)
        if subscribers:
            self._subscribers.put((foreign,), subscribers)
        else:
            self._subscribers.delete((foreign,))

    def right_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        subscribers = self._subscribers.get(key) or {}
        for left_key, subscribed in sorted(subscribers.items(), key=lambda item: encode_key(item[0])):
            left = self.inputs[0].get(left_key, None)
            if left is None:
                continue
            row = None if new is None and self._is_inner else self.combine(left_key, left[0], new)
            had = old is not None or not self._is_inner
            before = self.combine(left_key, left[0], old) if had and old is not PRESENT else PRESENT if had else None
            if row is not None or before is not None:
                self.down.change(left_key, row, before, max(t, subscribed), w)

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
