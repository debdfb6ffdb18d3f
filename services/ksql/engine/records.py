"""What goes into a query and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]
Window = tuple[int, int]


@dataclass(slots=True)
class InputRecord:
    """A record of a source topic; ``timestamp`` in milliseconds.

    ``memo`` is the engine's: what a source read out of the bytes, so that several queries over the same source, and the
    look at the event time before, read them once.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    memo: Any = field(default=None, compare=False, repr=False)


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
