"""Makes the rows of a topic's records and passes them on; keeps the state of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from services.ksql.engine.chunk import ChunkSlice
from services.ksql.engine.column_batch import Column, ColumnBatch
from services.ksql.engine.expressions import layout_of
from services.ksql.engine.operators.base import Context, Entry, Key, Node, Row
from services.ksql.engine.operators.decode import Decoding, Origin, Parts, Reader, gathered
from services.ksql.engine.records import InputRecord, Window
from services.ksql.engine.state import Store
from services.ksql.model.plan import SourceStep
from services.ksql.model.schema import PSEUDO_COLUMNS, SourceKind


class Source(Node):
    kind = "source"

    def __init__(self, context: Context, step: SourceStep, hidden: tuple[str, ...]) -> None:
        super().__init__(context, layout_of(step.schema, hidden))
        self.origin = step.source
        self.topic = self.origin.topic
        self.is_table = step.kind is SourceKind.TABLE
        decoding = Decoding(self.origin, is_table=self.is_table)
        self.read = decoding.read
        self.uses_record_time = decoding.uses_record_time
        self.reader = Reader(decoding)
        self._window = self.origin.window
        #: whether the row is just key and value, the same for every query over this source
        self._is_shared = False
        #: where the columns of a row come from; None if one of them can only be had record by record
        self.origins: list[Origin] | None = None
        self._build = self._builder(step, hidden, decoding)
        self._store: Store[Any] = Store(self.name, tracked=context.tracked)

    def _builder(self, step: SourceStep, hidden: tuple[str, ...], decoding: Decoding) -> Callable[..., Row]:
        """Makes the row of key ``k``, value ``v``, time ``t``, window ``w`` and record ``m``: code made for the schema."""
        fragments: dict[str, str] = {}
        prefix = f"{step.alias}_" if step.alias else ""
        for index, column in enumerate(decoding.key_columns):
            fragments[prefix + column.name] = f"k[{index}]"
        for index, column in enumerate(decoding.value_columns):
            fragments[prefix + column.name] = f"v[{index}]"
        scope: dict[str, Any] = {"header": _header}
        for column in self.origin.schema.value:
            if column.header is not None:
                fragments[prefix + column.name] = f"header(m, {column.header!r})"
        pseudo = {
            "ROWTIME": "t",
            "ROWPARTITION": "m.partition",
            "ROWOFFSET": "m.offset",
            "WINDOWSTART": "(w and w[0])",
            "WINDOWEND": "(w and w[1])",
        }
        for name, text in pseudo.items():
            fragments.setdefault(prefix + name, text)
            if name in hidden:
                fragments.setdefault(name, text)
        names = [*(c.name for c in step.schema.columns), *hidden]
        self.origins = _origins([fragments[n] for n in names])
        nk = len(step.schema.key)
        if [fragments[n] for n in names] == [
            *(f"k[{i}]" for i in range(nk)),
            *(f"v[{i}]" for i in range(len(decoding.value_columns))),
        ]:
            text = "k + v"
            self._is_shared = True
        else:
            text = "(" + "".join(fragments[n] + ", " for n in names) + ")"
        exec(f"def build(k, v, t, w, m): return {text}", scope)  # noqa: S102 - positions and fixed names only
        build: Callable[..., Row] = scope["build"]
        return build

    def columns_of(self, slices: Sequence[ChunkSlice], order: Column, times: Column) -> ColumnBatch | None:
        """The rows of these records of a plain stream, none of them dropped or without a value; None if they cannot be had
        in columns."""
        return None if self.origins is None else gathered(self.reader, self.origins, slices, order, times)

    @property
    def is_plain(self) -> bool:
        """Whether it is a stream without windows, so that ``row_of`` says it all."""
        return not self.is_table and self._window is None

    def row_of(self, record: InputRecord) -> tuple[Row, int] | None:
        """Row and time of a record of a plain stream; None if it must be dropped."""
        parts = self.read(record)
        if isinstance(parts, str):
            return None
        if not self._is_shared:
            return self._build(parts[0], parts[1], parts[2], None, record), parts[2]
        memo = record.memo
        row: tuple[Row, int] | None = memo[2]
        if row is None:
            row = memo[2] = (parts[0] + parts[1], parts[2])
        return row

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
        return f"{self.origin.name} ({self.topic})"


def _origins(fragments: Sequence[str]) -> list[Origin] | None:
    origins: list[Origin] = []
    for text in fragments:
        kind, at = _ORIGINS.get(text[:2], (text, 0))
        if kind in ("key", "value"):
            at = int(text[2:-1])
        elif kind not in _WHOLE_ORIGINS:
            return None
        origins.append((_WHOLE_ORIGINS.get(kind, kind), at))
    return origins


def _header(record: InputRecord, name: str) -> Any:
    if name:
        return next((value for key, value in reversed(record.headers) if key == name), None)
    return [{"KEY": key, "VALUE": value} for key, value in record.headers]


_ORIGINS = {"k[": ("key", 0), "v[": ("value", 0)}
_WHOLE_ORIGINS = {"t": "time", "m.partition": "partition", "m.offset": "offset"}
HIDDEN = tuple(name for name in PSEUDO_COLUMNS if name != "ROWTIME")
