"""Columns, schemas, formats, sources and topics: the catalog's entry for a stream or table, and what lies under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.ksql.model.types import BIGINT, INTEGER, SqlType

#: Columns that every row has besides those of its schema; WINDOWSTART and WINDOWEND only where the key is windowed.
PSEUDO_COLUMNS: dict[str, SqlType] = {"ROWTIME": BIGINT, "ROWPARTITION": INTEGER, "ROWOFFSET": BIGINT}
WINDOW_COLUMNS: dict[str, SqlType] = {"WINDOWSTART": BIGINT, "WINDOWEND": BIGINT}


class SourceKind(StrEnum):
    STREAM = "STREAM"
    TABLE = "TABLE"


class WindowType(StrEnum):
    TUMBLING = "TUMBLING"
    HOPPING = "HOPPING"
    SESSION = "SESSION"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: SqlType
    #: a HEADERS or HEADER('x') column is read from the record's headers, never from key or value: its header key, or "" for all
    header: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """Key columns, then value columns. Names are exact (ksqlDB upper-cases unquoted ones while parsing)."""

    key: tuple[Column, ...] = ()
    value: tuple[Column, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.key + self.value

    def find(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True)
class Format:
    """A serialisation format with its options: JSON, KAFKA, DELIMITED or NONE."""

    name: str
    delimiter: str = ","
    #: whether a schema of one column is written as an object {"F": v} (True) or bare (False); None = the format's default
    wrap_single: bool | None = None


@dataclass(frozen=True, slots=True)
class KeyWindow:
    """How the keys of a source or sink are windowed. ``size_ms`` is None for sessions."""

    type: WindowType
    size_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TimestampColumn:
    """The value column that carries the event time, and its pattern when it is a text."""

    name: str
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class DataSource:
    """A registered stream or table.

    ``sql`` is the statement that made it, ``read_only`` marks CREATE SOURCE STREAM/TABLE, ``partitions`` and ``replicas``
    are None where the topic exists already or the server's default is to be used.
    """

    name: str
    kind: SourceKind
    schema: Schema
    topic: str
    key_format: Format
    value_format: Format
    window: KeyWindow | None = None
    timestamp: TimestampColumn | None = None
    sql: str = ""
    read_only: bool = False
    partitions: int | None = None
    replicas: int | None = None
    retention_ms: int | None = None
    properties: dict[str, str] = field(default_factory=dict, hash=False, compare=False)


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as the broker has it. ``replicas`` is the factor of its first partition; ``config`` only what differs from the default."""

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def retention_ms(self) -> int:
        return int(self.config.get("retention.ms", 604_800_000))
