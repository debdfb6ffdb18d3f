"""Makes the rows of a topic's records and passes them on; keeps the state of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from services.ksql.engine.chunk import ChunkSlice
from services.ksql.engine.column_batch import Column, ColumnBatch
from services.ksql.engine.expressions import layout_of
from services.ksql.engine.operators.base import Context, Entry, Key, Node, Row
from services.ksql.engine.operators.decode import (
    ColumnOrigin,
    Decoding,
    Origin,
    Parts,
    Reader,
    column_origins,
    gathered,
)
from services.ksql.engine.records import InputRecord, Window
from services.ksql.engine.state import Store
from services.ksql.model.plan import SourceStep
from services.ksql.model.schema import PSEUDO_COLUMNS, SourceKind


class Source(Node):
    kind = "source"

    def __init__(self, context: Context, step: SourceStep, hidden: tuple[str, ...]) -> None:
        super().__init__(context, layout_of(step.schema, hidden))
        self.data_source = step.source
        self.topic = self.data_source.topic
        self.is_table = step.kind is SourceKind.TABLE
        decoding = Decoding(self.data_source, is_table=self.is_table)
        self.read = decoding.read
        self.uses_record_time = decoding.uses_record_time
        self.reader = Reader(decoding)
        self._window = self.data_source.window
        origins = column_origins(step, hidden, decoding)
        #: the origins of a row's columns; None if one of them can only be had record by record
        self._columns = origins if all(one.has_columns for one in origins) else None
        self._build = _row_builder(origins, len(decoding.key_columns), len(decoding.value_columns))
        self._store: Store[Any] = Store(self.name, tracked=context.tracked)

    def columns_of(self, slices: Sequence[ChunkSlice], order: Column, times: Column) -> ColumnBatch | None:
        """The rows of these records of a plain stream, none of them dropped or without a value; None if they cannot be had
        in columns."""
        return None if self._columns is None else gathered(self.reader, self._columns, slices, order, times)

    @property
    def is_plain(self) -> bool:
        """Whether it is a stream without windows."""
        return not self.is_table and self._window is None

    @property
    def has_columns(self) -> bool:
        """Whether many records can be had as columns."""
        return self.is_plain and self._columns is not None

    def accept(self, record: InputRecord, parts: Parts) -> None:
        """Passes a record on."""
        k, v, t, w = parts
        r = self._build(k, v, t, w, record)
        if not self.is_table:
            if record.value is None:
                self.down.null_row(r, t, w)
            else:
                self.down.row(r, t, w)
            return
        key = r[: self.layout.keys]
        slot = (key, w)
        old = self._store.get(slot)
        if record.value is None:
            self._store.delete(slot)
            self.down.change(key, None, old and old[0], t, w)
        else:
            self._store.put(slot, (r, t))
            self.down.change(key, r, old and old[0], t, w)

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        return self._store.get((key, w))

    def find(self, key: Key) -> Iterator[Entry]:
        for (one, w), (row, t) in list(self._store.data.items()) if self._window else ():
            if one == key:
                yield one, w, row, t
        if self._window is None:
            yield from super().find(key)

    def entries(self) -> Iterator[Entry]:
        for (key, w), (row, t) in self._store.data.items():
            yield key, w, row, t

    def stores(self) -> tuple[Store[Any], ...]:
        return (self._store,) if self.is_table else ()

    def want_old(self) -> None:
        """A table source knows the old row anyway."""

    def describe(self) -> str:
        return f"{self.data_source.name} ({self.topic})"


def _row_builder(
    origins: Sequence[ColumnOrigin], keys: int, values: int
) -> Callable[[Row, Row, int, Window | None, InputRecord], Row]:
    """Makes the row of key ``k``, value ``v``, time ``t``, window ``w`` and record ``m``: a function rendered from the origins."""
    whole_key = [ColumnOrigin(Origin.KEY, at) for at in range(keys)]
    whole_value = [ColumnOrigin(Origin.VALUE, at) for at in range(values)]
    if origins == whole_key + whole_value:
        text = "k + v"
    else:
        text = "(" + "".join(_ROW_TEXTS[one.origin].format(one) + ", " for one in origins) + ")"
    scope: dict[str, Any] = {"header": _header}
    exec(f"def build(k, v, t, w, m): return {text}", scope)  # noqa: S102 - positions, and names as literals
    build: Callable[[Row, Row, int, Window | None, InputRecord], Row] = scope["build"]
    return build


#: how a row's column is read, by its origin
_ROW_TEXTS = {
    Origin.KEY: "k[{0.at}]",
    Origin.VALUE: "v[{0.at}]",
    Origin.HEADER: "header(m, {0.header!r})",
    Origin.TIME: "t",
    Origin.PARTITION: "m.partition",
    Origin.OFFSET: "m.offset",
    Origin.WINDOW_START: "(w and w[0])",
    Origin.WINDOW_END: "(w and w[1])",
}


def _header(record: InputRecord, name: str) -> Any:
    if name:
        return next((value for key, value in reversed(record.headers) if key == name), None)
    return [{"KEY": key, "VALUE": value} for key, value in record.headers]


HIDDEN = tuple(name for name in PSEUDO_COLUMNS if name != "ROWTIME")
