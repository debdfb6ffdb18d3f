"""What all joins share: the key of a side, and the row made of both sides."""

from __future__ import annotations

from typing import Any

from services.ksql.engine.column_batch import ColumnBatch
from services.ksql.engine.expressions import compile_one, layout_of
from services.ksql.engine.operators.base import Batch, Context, Key, Node, Row
from services.ksql.engine.records import Window
from services.ksql.model.plan import JoinStep


class Side(Node):
    """Tells a join which of its inputs a row comes from."""

    kind = "side"

    def __init__(self, context: Context, join: Join, source: Node, *, is_left: bool) -> None:
        super().__init__(context, source.layout)
        self._join = join
        self._is_left = is_left
        source.down = self

    def row(self, r: Row, t: int, w: Window | None) -> None:
        (self._join.left_row if self._is_left else self._join.right_row)(r, t, w)

    def rows(self, batch: Batch) -> None:
        if self._is_left:
            self._join.left_rows(batch)
        else:
            super().rows(batch)

    def columns(self, batch: ColumnBatch) -> None:
        if self._is_left:
            self._join.left_columns(batch)
        else:
            super().columns(batch)

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        (self._join.left_change if self._is_left else self._join.right_change)(key, new, old, t, w)


class Join(Node):
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

    def left_rows(self, batch: Batch) -> None:
        """The same as ``left_row`` for each."""
        for r, t in batch:
            self.left_row(r, t, None)

    def left_columns(self, batch: ColumnBatch) -> None:
        """The same rows column by column."""
        self.left_rows(batch.batch())

    def right_row(self, r: Row, t: int, w: Window | None) -> None:
        raise AssertionError(f"{self.name} takes no stream on its right")

    def left_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        raise AssertionError(f"{self.name} takes no table on its left")

    def right_change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        """Changes of a table that is only looked up need no action."""

    def describe(self) -> str:
        return f"{self.step.join_type.value} on {', '.join(self.layout.names[: self.layout.keys])}"
