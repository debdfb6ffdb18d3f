"""Table-table join on the primary keys of both."""

from __future__ import annotations

from collections.abc import Iterator

from services.ksql.engine.operators.base import PRESENT, Entry, Key, Row
from services.ksql.engine.operators.joining import Join
from services.ksql.engine.records import Window
from services.ksql.model.plan import JoinType


class TableTableJoin(Join):
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
