"""What a source reads of one record: key, value, event time and window."""

from __future__ import annotations

from collections.abc import Callable

from services.ksql.engine.operators.base import Row
from services.ksql.engine.records import InputRecord, Window
from services.ksql.model.schema import DataSource
from services.ksql.model.types import BIGINT, DOUBLE, INTEGER
from services.ksql.serde.base import DecodeError, extractor, split_window
from services.ksql.serde.formats import decoder

#: key columns, value columns, event time, window
Parts = tuple[Row, Row, int, Window | None]
#: keys whose columns are remembered. Keys may be used for a moment only, such as those of sessions, and each is kept by every query.
_KNOWN_KEYS = 10_000


class Decoding:
    """The key columns, the value columns that are no headers, and the event time of one source's records."""

    def __init__(self, source: DataSource, *, is_table: bool) -> None:
        #: what is read; records keep what was read of them under it
        self.origin = source
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
        if memo is not None and memo[0] is self.origin:
            known: Parts | str = memo[1]
            return known
        parts = self._parts(record)
        record.memo = [self.origin, parts, None]
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
        column = self.origin.timestamp
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
        column = self.origin.timestamp
        if column is None:
            return 0
        values = [c.name for c in self.value_columns]
        return values.index(column.name) if column.pattern is None and column.name in values else None
