"""IN: the operand and its options brought to one type."""

from __future__ import annotations

from collections.abc import Sequence

from services.ksql.analysis.types import parse_boolean, parse_number, wider
from services.ksql.errors import KsqlError
from services.ksql.model import expression as ex
from services.ksql.model.types import BOOLEAN, STRING, SqlType

_HINT = "\nHint: You might need to add explicit type casts."


def coerce_options(expressions: Sequence[ex.Expression], texts: Sequence[str]) -> list[ex.Expression]:
    """``expressions`` (the operand first) as one type; ``texts`` are their spellings for messages.

    A text literal takes the type of the others where it can be read as one.
    """
    common: SqlType | None = None
    for expression, text in zip(expressions, texts, strict=True):
        if expression.type is None or (_is_text_literal(expression) and common is not None):
            continue
        common = _joined(common, expression.type, text)
    if common is None or common == STRING:
        return list(expressions)
    for expression in expressions:
        if _is_text_literal(expression) and common.is_numeric:
            common = wider(common, _number(expression, common)[1]) or common
    return [_as(expression, common) for expression in expressions]


def _joined(common: SqlType | None, other: SqlType, text: str) -> SqlType:
    if common is None or common == other:
        return other
    number = wider(common, other)
    if number is not None:
        return number
    raise KsqlError(f"operator does not exist: {common} = {other} ({text}){_HINT}")


def _is_text_literal(expression: ex.Expression) -> bool:
    return isinstance(expression, ex.Literal) and isinstance(expression.value, str)


def _invalid(common: SqlType, value: object) -> KsqlError:
    return KsqlError(f'invalid input syntax for type {common}: "{value}".')


def _number(expression: ex.Expression, common: SqlType) -> tuple[int | float, SqlType]:
    assert isinstance(expression, ex.Literal)
    parsed = parse_number(expression.value)
    if parsed is None:
        raise _invalid(common, expression.value)
    return parsed


def _as(expression: ex.Expression, common: SqlType) -> ex.Expression:
    if expression.type is None or expression.type == common:
        return expression
    if not _is_text_literal(expression):
        return ex.Cast(expression, common)
    assert isinstance(expression, ex.Literal)
    if common == BOOLEAN:
        flag = parse_boolean(expression.value)
        if flag is None:
            raise _invalid(common, expression.value)
        return ex.Literal(flag, BOOLEAN)
    if common.is_numeric:
        number, _ = _number(expression, common)
        return ex.Literal(number, common)
    return ex.Cast(expression, common)
