"""What a stream's source reads out of a whole chunk: columns, where all records are as expected; else record by record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from services.ksql.engine.chunk import Chunk, Piece
from services.ksql.engine.columns import Column, Columns, Make, is_whole, joined, objects
from services.ksql.engine.operators.decoding import Decoding
from services.ksql.serde.base import DecodeError
from services.ksql.serde.formats import many_decoder

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
        origin = decoding.origin
        self._values = many_decoder(origin.value_format, decoding.value_columns)
        self._keys = many_decoder(origin.key_format, origin.schema.key, is_key=True)
        #: keys that cannot be malformed are read only if somebody asks for them
        self._keys_may_wait = origin.key_format.name.upper() == "KAFKA" and not decoding.numeric_key
        self._time_at = decoding.time_at

    def read(self, chunk: Chunk) -> Reading:
        origin = self._decoding.origin
        for known, reading in chunk.memo:
            if known is origin:
                found: Reading = reading
                return found
        made = self._together(chunk) or self._one_by_one(chunk)
        chunk.memo.append((origin, made))
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


#: where a column of the source's rows comes from: "key" or "value" and its place, or one of a record's own fields
Origin = tuple[str, int]


def gathered(
    reader: Reader, origins: Sequence[Origin], pieces: Sequence[Piece], order: Column, times: Column
) -> Columns:
    """The rows of some records as columns."""
    readings = [(reader.read(piece.chunk), piece) for piece in pieces]

    def make(kind: str, at: int) -> Make:
        def column() -> Column:
            match kind:
                case "key":
                    parts = [reading.key(at)[piece.start : piece.end] for reading, piece in readings]
                case "value":
                    parts = [reading.values[at][piece.start : piece.end] for reading, piece in readings]
                case "offset":
                    parts = [piece.chunk.offsets[piece.start : piece.end] for piece in pieces]
                case "partition":
                    parts = [np.full(len(piece), piece.chunk.partition, dtype=np.int64) for piece in pieces]
                case _:
                    return times
            return joined(parts)[order]

        return column

    return Columns([make(kind, at) for kind, at in origins], times)
