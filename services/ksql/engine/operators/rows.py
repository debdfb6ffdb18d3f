"""Operators on one row at a time: WHERE and HAVING, SELECT, PARTITION BY."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from services.ksql.engine.column_batch import ColumnBatch, compile_columns
from services.ksql.engine.expressions import Layout, compile_predicate, compile_row, layout_of
from services.ksql.engine.operators.base import PRESENT, Context, Entry, Key, Node, Row
from services.ksql.engine.records import Window
from services.ksql.model.plan import ExplodeStep, FilterStep, PartitionByStep, ProjectStep
from services.ksql.model.typed_expressions import ColumnRef
from services.ksql.model.types import STRING
from shared.lazy_numpy import np


class Filter(Node):
    """Rows that satisfy the predicate. In a table a row that leaves gets a tombstone, one that never passed nothing."""

    kind = "filter"

    def __init__(self, context: Context, step: FilterStep, source: Node) -> None:
        super().__init__(context, source.layout)
        self.inputs = (source,)
        self._holds = compile_predicate(step.predicate, source.layout)
        source.want_old()

    def row(self, r: Row, t: int, w: Window | None) -> None:
        if self._holds(r, t, w):
            self.down.row(r, t, w)

    def columns(self, batch: ColumnBatch) -> None:
        holds = self._holds
        kept = np.fromiter((holds(r, t, None) for r, t in batch.timed_rows()), dtype=bool, count=len(batch))
        if kept.any():
            self.down.columns(batch.select(kept))

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        if new is not None and not self._holds(new, t, w):
            new = None
        if old is not None and not self._holds(old, t, w):
            old = None
        if new is not None or old is not None:
            self.down.change(key, new, old, t, w)

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        found = self.inputs[0].get(key, w)
        return found if found is not None and self._holds(found[0], found[1], w) else None

    def find(self, key: Key) -> Iterator[Entry]:
        return (e for e in self.inputs[0].find(key) if self._holds(e[2], e[3], e[1]))

    def entries(self) -> Iterator[Entry]:
        return (e for e in self.inputs[0].entries() if self._holds(e[2], e[3], e[1]))

    def want_old(self) -> None:
        """Asked for already."""


class Project(Node):
    """The columns of SELECT."""

    kind = "project"

    def __init__(self, context: Context, step: ProjectStep, source: Node) -> None:
        super().__init__(context, layout_of(step.schema))
        self.inputs = (source,)
        self._wants_old = False
        keys = [ColumnRef(name, STRING) for name in step.keys]
        self._key = compile_row(keys, source.layout)
        expressions = [*keys, *(v.expression for v in step.values)]
        self._make = compile_row(expressions, source.layout)
        self._make_columns = compile_columns(expressions, source.layout)
        self._same_key = step.keys == source.layout.names[: source.layout.keys]
        self._nulls: Row = (None,) * len(step.values)

    def row(self, r: Row, t: int, w: Window | None) -> None:
        self.down.row(self._make(r, t, w), t, w)

    def columns(self, batch: ColumnBatch) -> None:
        self.down.columns(ColumnBatch(self._make_columns(batch), batch.times))

    def null_row(self, r: Row, t: int, w: Window | None) -> None:
        self.down.null_row(self._key(r, t, w) + self._nulls, t, w)

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        if not self._same_key:
            some = new if new is not None else old
            if some is not None and some is not PRESENT:
                key = self._key(some, t, w)
        if old is not None:
            old = self._make(old, t, w) if self._wants_old else PRESENT
        self.down.change(key, None if new is None else self._make(new, t, w), old, t, w)

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        found = self.inputs[0].get(key, w)
        return None if found is None else (self._make(found[0], found[1], w), found[1])

    def find(self, key: Key) -> Iterator[Entry]:
        return ((k, w, self._make(r, t, w), t) for k, w, r, t in self.inputs[0].find(key))

    def entries(self) -> Iterator[Entry]:
        return ((k, w, self._make(r, t, w), t) for k, w, r, t in self.inputs[0].entries())

    def want_old(self) -> None:
        self._wants_old = True
        super().want_old()


class Explode(Node):
    """The rows that table functions make of a row."""

    kind = "explode"

    def __init__(self, context: Context, step: ExplodeStep, source: Node) -> None:
        names = tuple(function.name for function in step.functions)
        super().__init__(context, Layout(source.layout.names + names, source.layout.keys))
        self.inputs = (source,)
        self._make = compile_row([function.expression for function in step.functions], source.layout)

    def row(self, r: Row, t: int, w: Window | None) -> None:
        for items in zip_longest(*(made or () for made in self._make(r, t, w))):
            self.down.row(r + items, t, w)


class PartitionBy(Node):
    """Gives rows a new key; the old key columns stay as value columns."""

    kind = "partition-by"

    def __init__(self, context: Context, step: PartitionByStep, source: Node) -> None:
        layout = layout_of(step.schema)
        kept = tuple(n for n in source.layout.names if n not in layout.names and n in ("ROWPARTITION", "ROWOFFSET"))
        super().__init__(context, Layout(layout.names + kept, layout.keys))
        self.inputs = (source,)
        values = [ColumnRef(name, STRING) for name in (*layout.names[layout.keys :], *kept)]
        self._make = compile_row([*(k.expression for k in step.keys), *values], source.layout)

    def row(self, r: Row, t: int, w: Window | None) -> None:
        self.down.row(self._make(r, t, w), t, w)

    def null_row(self, r: Row, t: int, w: Window | None) -> None:
        # there is no row that could have a ROWTIME
        self.down.null_row(self._make(r, None, w), t, w)
