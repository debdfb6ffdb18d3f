"""The AST: expressions, queries and statements, before any name is looked up; and the walk over expressions.

Locations take no part in equality, so that two spellings of one expression at two places compare equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from services.ksql.model.commands import (
    AssertTopic,
    CreateConnector,
    CreateType,
    Define,
    DescribeAll,
    DescribeConnector,
    DescribeFunction,
    DropConnector,
    DropType,
    PlainStatement,
    Print,
    SetProperty,
    Show,
    Undefine,
    UnsetProperty,
)
from services.ksql.model.schema import SourceKind, WindowType
from services.ksql.model.types import SqlType


class Location(NamedTuple):
    """1-based line and column of a node's first token in the text that was parsed."""

    line: int
    column: int


NOWHERE = Location(0, 0)


@dataclass(frozen=True, slots=True)
class ColumnName:
    source: str | None
    name: str
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """``kind`` is null, boolean, integer, bigint, decimal, double, string or unit (of time); ``text`` is how a number was written."""

    value: bool | int | float | Decimal | str | None
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    op: str
    left: Expression
    right: Expression
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Signed:
    op: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Comparison:
    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logical:
    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression


@dataclass(frozen=True, slots=True)
class IsNull:
    operand: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    operand: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class In:
    operand: Expression
    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like:
    operand: Expression
    pattern: Expression
    escape: str | None = None


@dataclass(frozen=True, slots=True)
class When:
    condition: Expression
    result: Expression


@dataclass(frozen=True, slots=True)
class Case:
    """``operand`` is None for CASE WHEN condition."""

    operand: Expression | None
    whens: tuple[When, ...]
    default: Expression | None


@dataclass(frozen=True, slots=True)
class Cast:
    operand: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class Call:
    """``COUNT(*)`` is a call without arguments."""

    name: str
    arguments: tuple[Expression, ...]
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Dereference:
    """``operand->field``: the field of a STRUCT."""

    operand: Expression
    field: str


@dataclass(frozen=True, slots=True)
class Subscript:
    """``operand[index]``: the item of an ARRAY or MAP."""

    operand: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class MakeArray:
    """``ARRAY[...]``."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MakeMap:
    """``MAP(key := value, ...)``."""

    keys: tuple[Expression, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MakeStruct:
    """``STRUCT(name := value, ...)``."""

    names: tuple[str, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Lambda:
    """``(A, B) => body``; inside the body a parameter is a ``LambdaVariable``."""

    parameters: tuple[str, ...]
    body: Expression


@dataclass(frozen=True, slots=True)
class LambdaVariable:
    name: str


Expression = (
    ColumnName
    | Literal
    | Arithmetic
    | Signed
    | Comparison
    | Logical
    | Not
    | IsNull
    | Between
    | In
    | Like
    | Case
    | Cast
    | Call
    | Dereference
    | Subscript
    | MakeArray
    | MakeMap
    | MakeStruct
    | Lambda
    | LambdaVariable
)


def children(node: Expression) -> tuple[Expression, ...]:  # noqa: PLR0911, PLR0912 - one arm per kind of node
    """The direct parts of an expression."""
    match node:
        case Arithmetic() | Comparison() | Logical():
            return (node.left, node.right)
        case Signed() | Not() | IsNull() | Cast() | Dereference():
            return (node.operand,)
        case Subscript():
            return (node.operand, node.index)
        case MakeArray():
            return node.items
        case MakeMap():
            return (*node.keys, *node.values)
        case MakeStruct():
            return node.values
        case Lambda():
            return (node.body,)
        case Between():
            return (node.operand, node.low, node.high)
        case In():
            return (node.operand, *node.options)
        case Like():
            return (node.operand, node.pattern)
        case Case():
            parts = [part for when in node.whens for part in (when.condition, when.result)]
            return tuple(part for part in (node.operand, *parts, node.default) if part is not None)
        case Call():
            return node.arguments
        case _:
            return ()


def walk(node: Expression) -> Iterator[Expression]:
    """The expression and everything inside it, outermost first."""
    yield node
    for part in children(node):
        yield from walk(part)


def columns(node: Expression) -> Iterator[ColumnName]:
    return (part for part in walk(node) if isinstance(part, ColumnName))


def rewrite(  # noqa: PLR0911, PLR0912 - one arm per kind of node
    node: Expression, change: Callable[[Expression], Expression | None]
) -> Expression:
    """A copy in which ``change`` has replaced what it wants; it is asked outermost first, None keeps a node."""
    changed = change(node)
    if changed is not None:
        return changed

    def go(part: Expression) -> Expression:
        return rewrite(part, change)

    match node:
        case Arithmetic() | Comparison() | Logical():
            return replace(node, left=go(node.left), right=go(node.right))
        case Signed() | Not() | IsNull() | Cast() | Dereference():
            return replace(node, operand=go(node.operand))
        case Subscript():
            return Subscript(go(node.operand), go(node.index))
        case MakeArray():
            return MakeArray(tuple(map(go, node.items)))
        case MakeMap():
            return MakeMap(tuple(map(go, node.keys)), tuple(map(go, node.values)))
        case MakeStruct():
            return MakeStruct(node.names, tuple(map(go, node.values)))
        case Lambda():
            return Lambda(node.parameters, go(node.body))
        case Between():
            return Between(go(node.operand), go(node.low), go(node.high))
        case In():
            return In(go(node.operand), tuple(map(go, node.options)))
        case Like():
            return Like(go(node.operand), go(node.pattern), node.escape)
        case Case():
            whens = tuple(When(go(when.condition), go(when.result)) for when in node.whens)
            operand = None if node.operand is None else go(node.operand)
            return Case(operand, whens, None if node.default is None else go(node.default))
        case Call():
            return replace(node, arguments=tuple(map(go, node.arguments)))
        case _:
            return node


@dataclass(frozen=True, slots=True)
class Star:
    """``*`` or ``source.*``."""

    source: str | None = None
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class StructStar:
    """``operand->*``: each field of a STRUCT as a column."""

    operand: Expression
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SelectItem:
    expression: Expression
    alias: str | None = None
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Interval:
    """``unit`` as ksqlDB prints it: the plural, upper-case."""

    value: int
    unit: str

    @property
    def milliseconds(self) -> int:
        return self.value * UNIT_MS[self.unit]


_DAY_MS = 86_400_000
#: Months and years have no fixed length; ksqlDB refuses them in windows.
UNIT_MS = {
    "MILLISECONDS": 1,
    "SECONDS": 1_000,
    "MINUTES": 60_000,
    "HOURS": 3_600_000,
    "DAYS": _DAY_MS,
    "MONTHS": 30 * _DAY_MS,
    "YEARS": 365 * _DAY_MS,
}


@dataclass(frozen=True, slots=True)
class Relation:
    name: str
    alias: str
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Within:
    before: Interval
    after: Interval
    grace: Interval | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """``type`` is INNER, LEFT, RIGHT or FULL."""

    type: str
    right: Relation
    criteria: Expression
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """``size`` is the gap of a SESSION window."""

    type: WindowType
    size: Interval
    advance: Interval | None = None
    retention: Interval | None = None
    grace: Interval | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """``emit`` is CHANGES, FINAL or None (a pull query if it is a statement of its own)."""

    select: tuple[SelectItem | Star | StructStar, ...]
    source: Relation
    joins: tuple[Join, ...] = ()
    window: Window | None = None
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    partition_by: tuple[Expression, ...] = ()
    having: Expression | None = None
    emit: str | None = None
    limit: int | None = None


__all__ = [
    "NOWHERE",
    "UNIT_MS",
    "AlterSourceStatement",
    "Arithmetic",
    "AssertSchema",
    "AssertTopic",
    "Between",
    "Call",
    "Case",
    "Cast",
    "ColumnDef",
    "ColumnName",
    "Comparison",
    "CreateAsSelect",
    "CreateConnector",
    "CreateSourceStatement",
    "CreateType",
    "Define",
    "Dereference",
    "DescribeAll",
    "DescribeConnector",
    "DescribeFunction",
    "DescribeSourceStatement",
    "DropConnector",
    "DropSourceStatement",
    "DropType",
    "ExplainStatement",
    "Expression",
    "In",
    "InsertSelect",
    "InsertValuesStatement",
    "Interval",
    "IsNull",
    "Join",
    "Lambda",
    "LambdaVariable",
    "Like",
    "Literal",
    "Location",
    "Logical",
    "MakeArray",
    "MakeMap",
    "MakeStruct",
    "Not",
    "Print",
    "Properties",
    "QueryControl",
    "Relation",
    "Select",
    "SelectItem",
    "SetProperty",
    "Show",
    "Signed",
    "Star",
    "Statement",
    "StructStar",
    "Subscript",
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
class CreateSourceStatement:
    name: str
    kind: SourceKind
    columns: tuple[ColumnDef, ...]
    properties: Properties
    or_replace: bool = False
    if_not_exists: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class AssertSchema:
    """ASSERT [NOT EXISTS] SCHEMA, which is refused: it asks a Schema Registry."""

    exists: bool = True


@dataclass(frozen=True, slots=True)
class AlterSourceStatement:
    """ALTER STREAM or TABLE ... ADD COLUMN."""

    name: str
    kind: SourceKind
    columns: tuple[ColumnDef, ...]


@dataclass(frozen=True, slots=True)
class CreateAsSelect:
    name: str
    kind: SourceKind
    query: Select
    properties: Properties = ()
    or_replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class InsertSelect:
    target: str
    query: Select
    properties: Properties = ()
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class InsertValuesStatement:
    target: str
    columns: tuple[str, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class DropSourceStatement:
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
class DescribeSourceStatement:
    name: str
    extended: bool = False


@dataclass(frozen=True, slots=True)
class ExplainStatement:
    """Either ``query_id`` or ``statement``."""

    query_id: str | None = None
    statement: Statement | None = None


Statement = (
    Select
    | CreateSourceStatement
    | AlterSourceStatement
    | AssertSchema
    | CreateAsSelect
    | InsertSelect
    | InsertValuesStatement
    | DropSourceStatement
    | QueryControl
    | DescribeSourceStatement
    | ExplainStatement
    | PlainStatement
)
