"""What goes into a query and what comes out."""

from __future__ import annotations

from typing import Any, NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]
Window = tuple[int, int]


class InputRecord(NamedTuple):
    """A record of a source topic; ``timestamp`` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class OutputRecord(NamedTuple):
    """A record for the sink. ``partition_key`` is the key without its window bytes: murmur2 of it decides the partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: int
    partition_key: bytes | None
    headers: Headers = ()


class TableRow(NamedTuple):
    """A row of a table's state. ``window`` is (start, end) in milliseconds where the table is windowed."""

    key: tuple[Any, ...]
    window: Window | None
    values: tuple[Any, ...]
    rowtime: int
