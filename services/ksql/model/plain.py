"""Statements that say all there is to know themselves: what was read is what is carried out, nothing is looked up.

They are AST and command at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.ksql.model.schema import SourceKind


@dataclass(frozen=True, slots=True)
class Show:
    """``what`` is STREAMS, TABLES, TOPICS, ALL TOPICS, QUERIES, PROPERTIES, FUNCTIONS, VARIABLES, TYPES, CONNECTORS ..."""

    what: str
    extended: bool = False


@dataclass(frozen=True, slots=True)
class DescribeAll:
    """DESCRIBE STREAMS or TABLES."""

    kind: SourceKind
    extended: bool = False


@dataclass(frozen=True, slots=True)
class DescribeFunction:
    name: str


@dataclass(frozen=True, slots=True)
class Print:
    """PRINT 'topic' on the query endpoints."""

    topic: str
    from_beginning: bool = False
    interval: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class SetProperty:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class UnsetProperty:
    name: str


@dataclass(frozen=True, slots=True)
class Define:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Undefine:
    name: str


PlainStatement = Show | DescribeAll | DescribeFunction | Print | SetProperty | UnsetProperty | Define | Undefine
