"""Common to all formats: errors, the window in the bytes of a key, the event time of a row from its TIMESTAMP column.

Windowed keys are the key's own bytes, then big-endian longs: TUMBLING and HOPPING append the window's start; SESSION appends
its end, then its start.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from services.ksql.functions.java_time import UTC_ZONE, timestamp_parser
from services.ksql.model.schema import KeyWindow, TimestampColumn, WindowType


class DecodeError(ValueError):
    """The bytes are not what the schema says; the record is skipped and counted."""


class EncodeError(ValueError):
    """A row cannot be written in the format of the sink."""


_LONG = struct.Struct(">q")
_TWO_LONGS = struct.Struct(">qq")
_FOREVER = 2**63 - 1

Window = tuple[int, int]


def append_window(key: bytes, window: Window, kind: WindowType) -> bytes:
    """The bytes of ``key`` in ``window`` (start, end in milliseconds)."""
    start, end = window
    return key + (_TWO_LONGS.pack(end, start) if kind is WindowType.SESSION else _LONG.pack(start))


def split_window(data: bytes, window: KeyWindow) -> tuple[bytes, Window]:
    """The key's own bytes, and the window (start, end).

    Raises:
        DecodeError: too short.
    """
    size = 16 if window.type is WindowType.SESSION else 8
    if len(data) < size:
        raise DecodeError(f"A key of {len(data)} bytes holds no window")
    key, tail = data[:-size], data[-size:]
    if window.type is WindowType.SESSION:
        end, start = _TWO_LONGS.unpack(tail)
        return key, (start, end)
    (start,) = _LONG.unpack(tail)
    return key, (start, start + window.size_ms if window.size_ms is not None else _FOREVER)


_NO_TIME = -1


def extractor(column: TimestampColumn) -> Callable[[Any], int]:
    """Milliseconds of a column's value; -1 where there is none. A text is read by the column's pattern (ValueError if it does not fit)."""
    if column.pattern is None:
        return lambda value: _NO_TIME if value is None else int(value)
    read = timestamp_parser(column.pattern)
    return lambda value: _NO_TIME if value is None else read(value, UTC_ZONE)
