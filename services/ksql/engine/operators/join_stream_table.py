"""Stream-table join: each row of the stream meets the table as it is at that moment; changes of the table emit nothing."""

from __future__ import annotations

import numpy as np

from services.ksql.engine.column_batch import ColumnBatch, Make, compile_columns, objects
from services.ksql.engine.operators.base import Batch, Context, Node, Row
from services.ksql.engine.operators.joining import Join
from services.ksql.engine.records import Window
from services.ksql.model.plan import JoinStep, JoinType


class StreamTableJoin(Join):
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

    def left_rows(self, batch: Batch) -> None:
        if self.step.right.window:
            super().left_rows(batch)
            return
        key_of, get, make = self.left_key, self.inputs[1].get, self._make
        nothing = None if self.step.join_type is JoinType.INNER else self._no_right
        joined: Batch = []
        for r, t in batch:
            key = key_of(r, t, None)
            found = None if key is None else get((key,), None)
            right = nothing if found is None else found[0]
            if right is not None:
                joined.append((make((key,), r, right), t))
            elif key is None:
                self.context.stats.drop(self.name, "null_key")
        self.down.rows(joined)

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
