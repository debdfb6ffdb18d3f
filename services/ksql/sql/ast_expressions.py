"""Expressions of the AST.

Locations take no part in equality, so that two spellings of one expression at two places compare equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

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
    """``kind`` is null, boolean, integer, bigint, decimal, double or string; ``text`` is how a number was written."""

    value: bool | int | float | str | None
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
)
