"""Reads keys, values, event times and windows out of records: of one record, or of a whole chunk as columns.

A chunk gives columns where all records are as expected; otherwise it is read record by record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from services.ksql.engine.chunk import Chunk, ChunkSlice
from services.ksql.engine.column_batch import Column, ColumnBatch, Make, is_whole, joined, objects
from services.ksql.engine.operators.base import Row
from services.ksql.engine.records import InputRecord, Window
from services.ksql.model.plan import SourceStep
from services.ksql.model.schema import DataSource
from services.ksql.model.types import BIGINT, DOUBLE, INTEGER
from services.ksql.serde.base import DecodeError, extractor, split_window
from services.ksql.serde.formats import decoder, many_decoder
from shared.lazy_numpy import np

#: key columns, value columns, event time, window
Parts = tuple[Row, Row, int, Window | None]
#: keys whose columns are remembered. Keys may be used for a moment only, such as those of sessions, and each is kept by every query.
_KNOWN_KEYS = 10_000


class Decoding:
    """The key columns, the value columns that are no headers, and the event time of one source's records."""

    def __init__(self, source: DataSource, *, is_table: bool) -> None:
        #: the source; records keep their decoded parts under it
        self.source = source
        self.key_columns = source.schema.key
        self.value_columns = tuple(c for c in source.schema.value if c.header is None)
        self.numeric_key = any(c.type in (INTEGER, BIGINT, DOUBLE) for c in self.key_columns)
        self.null_key: Row = (None,) * len(self.key_columns)
        self.null_value: Row = (None,) * len(self.value_columns)
        self._is_table = is_table
        self._window = source.window
        self._decode_key = decoder(source.key_format, self.key_columns, is_key=True)
        self._decode_value = decoder(source.value_format, self.value_columns)
        self._known_keys: dict[bytes, Row] = {}
        self._time = self._event_time()
        #: whether the event time is the record's own timestamp
        self.uses_record_time = self._time is None
        #: the value column with the event time, 0 where it is the record's own; None if it takes more to find it
        self.time_at = self._time_column()

    def read(self, record: InputRecord) -> Parts | str:
        """Key, value, event time and window of a record, or the cause why it is dropped."""
        memo = record.memo
        if memo is not None and memo[0] is self.source:
            known: Parts | str = memo[1]
            return known
        parts = self._parts(record)
        record.memo = self.source, parts
        return parts

    def _parts(self, record: InputRecord) -> Parts | str:
        try:
            w = None
            data = record.key
            if data is None:
                if self._is_table:
                    return "null_key"
                k = self.null_key
            else:
                if self._window is not None:
                    data, w = split_window(data, self._window)
                k = self.key_of(data)
            v = self.null_value if record.value is None else self._decode_value(record.value)
            t = record.timestamp if self._time is None else self._time(k, v, record)
        except (DecodeError, ValueError, OverflowError):
            return "malformed"
        return (k, v, t, w) if t >= 0 else "no_event_time"

    def key_of(self, data: bytes | None) -> Row:
        """The key columns that these bytes hold."""
        if data is None:
            return self.null_key
        return self._known_keys.get(data) or self._key(data)

    def _key(self, data: bytes) -> Row:
        key = self._decode_key(data)
        if len(self._known_keys) >= _KNOWN_KEYS:
            self._known_keys.clear()
        self._known_keys[data] = key
        return key

    def _event_time(self) -> Callable[[Row, Row, InputRecord], int] | None:
        column = self.source.timestamp
        if column is None:
            return None
        extract = extractor(column)
        keys = [c.name for c in self.key_columns]
        if column.name in keys:
            at = keys.index(column.name)
            return lambda k, v, m: extract(k[at])
        values = [c.name for c in self.value_columns]
        if column.name in values:
            position = values.index(column.name)
            return lambda k, v, m: extract(v[position])
        return lambda k, v, m: m.timestamp

    def _time_column(self) -> int | None:
        column = self.source.timestamp
        if column is None:
            return 0
        values = [c.name for c in self.value_columns]
        return values.index(column.name) if column.pattern is None and column.name in values else None


_NO_TIME = -1


class Reading:
    """Columns over all records of a chunk; ``dropped`` has the cause where a record cannot be used, ``nulls`` the records
    without a value. ``times`` is -1 for those that are dropped."""

    __slots__ = ("_keys", "_read_keys", "dropped", "nulls", "times", "values")

    def __init__(
        self,
        read_keys: Callable[[], Sequence[Column]],
        values: Sequence[Column],
        times: Column,
        dropped: dict[int, str],
        nulls: frozenset[int],
    ) -> None:
        self._read_keys = read_keys
        self._keys: Sequence[Column] | None = None
        self.values = values
        self.times = times
        self.dropped = dropped
        self.nulls = nulls

    def key(self, at: int) -> Column:
        if self._keys is None:
            self._keys = self._read_keys()
        return self._keys[at]


class Reader:
    """Reads chunks for one source; what was read is kept with the chunk for other queries over the same source."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        source = decoding.source
        self._values = many_decoder(source.value_format, decoding.value_columns)
        self._keys = many_decoder(source.key_format, source.schema.key, is_key=True)
        #: keys that cannot be malformed are read only on demand
        self._keys_may_wait = source.key_format.name.upper() == "KAFKA" and not decoding.numeric_key
        self._time_at = decoding.time_at

    def read(self, chunk: Chunk) -> Reading:
        source = self._decoding.source
        for known, reading in chunk.memo:
            if known is source:
                found: Reading = reading
                return found
        made = self._together(chunk) or self._one_by_one(chunk)
        chunk.memo.append((source, made))
        return made

    def _together(self, chunk: Chunk) -> Reading | None:
        if self._values is None or self._time_at is None:
            return None
        values = self._values(chunk.values)
        if values is None:
            return None
        columns = [_column(v) for v in values]
        times = chunk.timestamps if self._decoding.uses_record_time else columns[self._time_at]
        if not is_whole(times) or int(times.min()) < 0:
            return None
        # Not the chunk itself, which keeps the reading: only the collector of cycles, which seldom runs, would free the two.
        raw = chunk.keys
        if self._keys_may_wait:
            return Reading(lambda: self._key_columns(raw), columns, times, {}, frozenset())
        try:
            keys = self._key_columns(raw)
        except (DecodeError, ValueError, OverflowError):
            return None
        return Reading(lambda: keys, columns, times, {}, frozenset())

    def _key_columns(self, raw: list[bytes | None]) -> list[Column]:
        found = self._keys(raw) if self._keys is not None else None
        if found is None:
            found = list(zip(*map(self._decoding.key_of, raw), strict=True))
        return [_column(column) for column in found]

    def _one_by_one(self, chunk: Chunk) -> Reading:
        decoding = self._decoding
        keys, values, times = [], [], []
        dropped: dict[int, str] = {}
        for index, record in enumerate(chunk.records()):
            parts = decoding.read(record)
            if isinstance(parts, str):
                dropped[index] = parts
                parts = decoding.null_key, decoding.null_value, _NO_TIME, None
            keys.append(parts[0])
            values.append(parts[1])
            times.append(parts[2])
        key_columns = [objects(column) for column in zip(*keys, strict=True)]
        nulls = frozenset(index for index, value in enumerate(chunk.values) if value is None)
        return Reading(
            lambda: key_columns,
            [objects(column) for column in zip(*values, strict=True)],
            np.array(times, dtype=np.int64),
            dropped,
            nulls - dropped.keys(),
        )


def _column(values: Any) -> Column:
    return values if isinstance(values, np.ndarray) else objects(values)


class Origin(Enum):
    """Where a column of the source's rows comes from."""

    KEY = auto()
    VALUE = auto()
    HEADER = auto()
    TIME = auto()
    PARTITION = auto()
    OFFSET = auto()
    WINDOW_START = auto()
    WINDOW_END = auto()


class ColumnOrigin(NamedTuple):
    """``at`` is the position among the key or value columns, ``header`` the name of a header, empty for all of them."""

    origin: Origin
    at: int = 0
    header: str = ""

    @property
    def has_columns(self) -> bool:
        """Whether a chunk gives it as a column. Headers and windows are read record by record."""
        return self.origin not in (Origin.HEADER, Origin.WINDOW_START, Origin.WINDOW_END)


def column_origins(step: SourceStep, hidden: Sequence[str], decoding: Decoding) -> list[ColumnOrigin]:
    """The origins of the columns of a source's rows, in order; ``hidden`` columns last."""
    prefix = f"{step.alias}_" if step.alias else ""
    origins: dict[str, ColumnOrigin] = {}
    for at, column in enumerate(decoding.key_columns):
        origins[prefix + column.name] = ColumnOrigin(Origin.KEY, at)
    for at, column in enumerate(decoding.value_columns):
        origins[prefix + column.name] = ColumnOrigin(Origin.VALUE, at)
    for column in decoding.source.schema.value:
        if column.header is not None:
            origins[prefix + column.name] = ColumnOrigin(Origin.HEADER, header=column.header)
    for name, origin in _PSEUDO_ORIGINS.items():
        origins.setdefault(prefix + name, ColumnOrigin(origin))
        if name in hidden:
            origins.setdefault(name, ColumnOrigin(origin))
    return [origins[name] for name in (*(c.name for c in step.schema.columns), *hidden)]


_PSEUDO_ORIGINS = {
    "ROWTIME": Origin.TIME,
    "ROWPARTITION": Origin.PARTITION,
    "ROWOFFSET": Origin.OFFSET,
    "WINDOWSTART": Origin.WINDOW_START,
    "WINDOWEND": Origin.WINDOW_END,
}


def gathered(
    reader: Reader, origins: Sequence[ColumnOrigin], slices: Sequence[ChunkSlice], order: Column, times: Column
) -> ColumnBatch:
    """The rows of some records as columns. All ``origins`` have columns."""
    readings = [(reader.read(chunk_slice.chunk), chunk_slice) for chunk_slice in slices]

    def make(one: ColumnOrigin) -> Make:
        def column() -> Column:
            match one.origin:
                case Origin.KEY:
                    parts = [reading.key(one.at)[part.start : part.end] for reading, part in readings]
                case Origin.VALUE:
                    parts = [reading.values[one.at][part.start : part.end] for reading, part in readings]
                case Origin.OFFSET:
                    parts = [part.chunk.offsets[part.start : part.end] for part in slices]
                case Origin.PARTITION:
                    parts = [np.full(len(part), part.chunk.partition, dtype=np.int64) for part in slices]
                case _:
                    return times
            return joined(parts)[order]

        return column

    return ColumnBatch([make(one) for one in origins], times)
