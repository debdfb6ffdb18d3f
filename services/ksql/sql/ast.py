"""The AST: what a statement says, before any name is looked up. Expressions and queries have modules of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.ksql.model.plain import (
    Define,
    DescribeAll,
    DescribeFunction,
    PlainStatement,
    Print,
    SetProperty,
    Show,
    Undefine,
    UnsetProperty,
)
from services.ksql.model.schema import SourceKind
from services.ksql.model.types import SqlType
from services.ksql.sql.ast_expressions import (
    NOWHERE,
    Arithmetic,
    Between,
    Call,
    Case,
    Cast,
    ColumnName,
    Comparison,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Location,
    Logical,
    Not,
    Signed,
    When,
)
from services.ksql.sql.ast_queries import UNIT_MS, Interval, Join, Query, Relation, SelectItem, Star, Window, Within

__all__ = [
    "NOWHERE",
    "UNIT_MS",
    "Arithmetic",
    "Between",
    "Call",
    "Case",
    "Cast",
    "ColumnDef",
    "ColumnName",
    "Comparison",
    "CreateAsSelect",
    "CreateSource",
    "Define",
    "DescribeAll",
    "DescribeFunction",
    "DescribeSource",
    "DropSource",
    "Explain",
    "Expression",
    "In",
    "InsertSelect",
    "InsertValues",
    "Interval",
    "IsNull",
    "Join",
    "Like",
    "Literal",
    "Location",
    "Logical",
    "Not",
    "Print",
    "Properties",
    "Query",
    "QueryControl",
    "Refused",
    "Relation",
    "SelectItem",
    "SetProperty",
    "Show",
    "Signed",
    "Star",
    "Statement",
    "Undefine",
    "UnsetProperty",
    "When",
    "Window",
    "Within",
]


@dataclass(frozen=True, slots=True)
class ColumnDef:
    """``constraint`` is KEY, PRIMARY KEY, HEADERS, HEADER('x') or empty."""

    name: str
    type: SqlType
    constraint: str = ""
    header: str | None = None
    location: Location = field(default=NOWHERE, compare=False)


#: A WITH clause: upper-case property names to literals, in the order written.
Properties = tuple[tuple[str, Literal], ...]


@dataclass(frozen=True, slots=True)
class CreateSource:
    name: str
    kind: SourceKind
    columns: tuple[ColumnDef, ...]
    properties: Properties
    or_replace: bool = False
    if_not_exists: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class CreateAsSelect:
    name: str
    kind: SourceKind
    query: Query
    properties: Properties = ()
    or_replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class InsertSelect:
    target: str
    query: Query
    properties: Properties = ()
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class InsertValues:
    target: str
    columns: tuple[str, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class DropSource:
    name: str
    kind: SourceKind
    if_exists: bool = False
    delete_topic: bool = False


@dataclass(frozen=True, slots=True)
class QueryControl:
    """TERMINATE, PAUSE or RESUME (``action``); ``query_id`` None means ALL."""

    action: str
    query_id: str | None


@dataclass(frozen=True, slots=True)
class DescribeSource:
    name: str
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Explain:
    """Either ``query_id`` or ``statement``."""

    query_id: str | None = None
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A statement of ksqlDB that this server knows but does not run; ``what`` names it."""

    what: str


Statement = (
    Query
    | CreateSource
    | CreateAsSelect
    | InsertSelect
    | InsertValues
    | DropSource
    | QueryControl
    | DescribeSource
    | Explain
    | PlainStatement
    | Refused
)
