"""Stream-table join: each row of the stream meets the table as it is at that moment; changes of the table emit nothing."""

from __future__ import annotations

from services.ksql.engine.operators.base import Batch, Row
from services.ksql.engine.operators.joining import Join
from services.ksql.engine.records import Window
from services.ksql.model.plan import JoinType


class StreamTableJoin(Join):
    kind = "stream-table-join"

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
