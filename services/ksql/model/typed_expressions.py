"""Typed, resolved expressions: the analyser's form of an AST expression, which the engine compiles to code.

Every node knows its SQL ``type`` (None only for the NULL literal). A column is named as in the schema of the step that
the expression is evaluated over, or is one of the pseudo columns. Implicit conversions are explicit ``TypedCast`` nodes.
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
class TypedLiteral:
    """``value`` is a Python None, bool, int, float, Decimal or str."""

    value: Any
    type: SqlType | None


@dataclass(frozen=True, slots=True)
class TypedCast:
    operand: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedArithmetic:
    """``op`` is one of + - * / %; + joins texts when ``type`` is STRING. INTEGER and BIGINT wrap round and divide towards zero."""

    op: str
    left: Expression
    right: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedNegate:
    operand: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedComparison:
    """``op`` is one of = <> < <= > >= and the null-safe IS DISTINCT FROM / IS NOT DISTINCT FROM."""

    op: str
    left: Expression
    right: Expression
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class TypedLogical:
    """``op`` is AND or OR. Not three-valued: ksqlDB counts NULL as false."""

    op: str
    left: Expression
    right: Expression
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class TypedNot:
    operand: Expression
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class TypedIsNull:
    operand: Expression
    negated: bool = False
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class TypedBetween:
    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class TypedIn:
    operand: Expression
    options: tuple[Expression, ...]
    negated: bool = False
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class TypedLike:
    operand: Expression
    pattern: Expression
    escape: str | None = None
    negated: bool = False
    type: SqlType = BOOLEAN


@dataclass(frozen=True, slots=True)
class TypedCase:
    """Searched CASE; a simple CASE x WHEN v is rewritten to x = v."""

    whens: tuple[tuple[Expression, Expression], ...]
    default: Expression | None
    type: SqlType | None


@dataclass(frozen=True, slots=True)
class TypedCall:
    """A scalar function: ``function`` is what ``functions.registry`` resolved for the argument types."""

    name: str
    function: Any
    arguments: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedDereference:
    """The field of a STRUCT."""

    operand: Expression
    field: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedSubscript:
    """The item of an ARRAY (from 1; from the end with -1) or MAP; NULL where there is none."""

    operand: Expression
    index: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedMakeArray:
    items: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedMakeMap:
    keys: tuple[Expression, ...]
    values: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedMakeStruct:
    names: tuple[str, ...]
    values: tuple[Expression, ...]
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedLambda:
    """A function of ``parameters``, which are ``TypedLambdaVariable`` in the body."""

    parameters: tuple[str, ...]
    body: Expression
    type: SqlType


@dataclass(frozen=True, slots=True)
class TypedLambdaVariable:
    name: str
    type: SqlType
