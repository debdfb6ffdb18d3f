"""The records that a query reads, those that it writes, and the rows of its tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]
Window = tuple[int, int]


@dataclass(slots=True)
class InputRecord:
    """A record of a source topic; ``timestamp`` in milliseconds.

    ``memo`` is the engine's: what a source read out of the bytes, so that several queries over the same source, and the
    read the event time before, read them once.
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
    """A record to write; ``timestamp`` in milliseconds."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers = ()


class OutputBatch(NamedTuple):
    """Records to write to one partition, field by field, without headers."""

    topic: str
    partition: int
    keys: list[bytes | None]
    values: list[bytes]
    timestamps: list[int]

    @property
    def largest(self) -> int:
        """No record has more bytes than this."""
        return max(len(key) if key else 0 for key in self.keys) + max(map(len, self.values))

    def records(self) -> list[OutputRecord]:
        """Every record by itself."""
        fields = zip(self.keys, self.values, self.timestamps, strict=True)
        return [OutputRecord(self.topic, self.partition, key, value, time) for key, value, time in fields]


Output = OutputRecord | OutputBatch


def flattened(outputs: Iterable[Output]) -> list[OutputRecord]:
    """Every record by itself."""
    listed: list[OutputRecord] = []
    for output in outputs:
        if isinstance(output, OutputBatch):
            listed += output.records()
        else:
            listed.append(output)
    return listed


def count_of(outputs: Iterable[Output]) -> int:
    """How many records these are."""
    return sum(len(output.keys) if isinstance(output, OutputBatch) else 1 for output in outputs)


class TableRow(NamedTuple):
    """A row of a table's state. ``window`` is (start, end) in milliseconds where the table is windowed."""

    key: tuple[Any, ...]
    window: Window | None
    values: tuple[Any, ...]
    rowtime: int
