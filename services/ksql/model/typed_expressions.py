"""Typed, resolved expressions: the analyser's form of an AST expression, which the engine compiles to code.

Every node knows its SQL ``type`` (None only for the NULL literal). A column is named as in the schema of the step that
the expression is evaluated over, or is one of the pseudo columns. Implicit conversions are explicit ``Cast`` nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from services.ksql.model.types import BOOLEAN, SqlType


class Expression(Protocol):
    @property
    def type(self) -> SqlType | None: ...


@dataclass(frozen=True, slots=True)
class ColumnRef:
    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class Literal:
    """``value`` is a Python None, bool, int, float, Decimal or str."""

    value: Any
    type: SqlType | None


@dataclass(frozen=True, slots=True)
class Cast:
    operand: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``op`` is one of + - * / %; + joins texts when ``type`` is STRING. INTEGER and BIGINT wrap round and divide towards zero."""

    op: str
    left: Expression
    right: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class Negate:
    operand: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class Comparison:
    """``op`` is one of = <> < <= > >= and the null-safe IS DISTINCT FROM / IS NOT DISTINCT FROM."""

    op: str
    left: Expression
    right: Expression
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class Logical:
    """``op`` is AND or OR. Not three-valued: ksqlDB counts NULL as false."""

    op: str
    left: Expression
    right: Expression
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class IsNull:
    operand: Expression
    negated: bool = False
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class Between:
    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class In:
    operand: Expression
    options: tuple[Expression, ...]
    negated: bool = False
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class Like:
    operand: Expression
    pattern: Expression
    escape: str | None = None
    negated: bool = False
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class Case:
    """Searched CASE; a simple CASE x WHEN v is rewritten to x = v."""

    whens: tuple[tuple[Expression, Expression], ...]
    default: Expression | None
    type: SqlType | None


@dataclass(frozen=True, slots=True)
class Call:
    """A scalar function: ``function`` is what ``functions.registry`` resolved for the argument types."""

    name: str
    function: Any
    arguments: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class Dereference:
    """The field of a STRUCT."""

    operand: Expression
    field: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class Subscript:
    """The item of an ARRAY (from 1; from the end with -1) or MAP; NULL where there is none."""

    operand: Expression
    index: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class MakeArray:
    items: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class MakeMap:
    keys: tuple[Expression, ...]
    values: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class MakeStruct:
    names: tuple[str, ...]
    values: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class Lambda:
    """A function of ``parameters``, which are ``LambdaVariable`` in the body."""

    parameters: tuple[str, ...]
    body: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class LambdaVariable:
    name: str
    type: SqlType
