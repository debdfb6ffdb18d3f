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
        if expression.type is None or _text(expression) is not None:
            continue
        common = _joined(common, expression.type, text)
    if common is None or common == STRING:
        return list(expressions)
    for literal in map(_text, expressions):
        if literal is not None and common.is_numeric:
            common = wider(common, _number(literal, common)[1]) or common
    return [_as(expression, common) for expression in expressions]


def _joined(common: SqlType | None, other: SqlType, text: str) -> SqlType:
    if common is None or common == other:
        return other
    number = wider(common, other)
    if number is not None:
        return number
    raise KsqlError(f"operator does not exist: {common} = {other} ({text}){_HINT}")


def _text(expression: ex.Expression) -> str | None:
    """The value of a text literal, None for anything else."""
    return expression.value if isinstance(expression, ex.Literal) and isinstance(expression.value, str) else None


def _invalid(common: SqlType, value: object) -> KsqlError:
    return KsqlError(f'invalid input syntax for type {common}: "{value}".')


def _number(text: str, common: SqlType) -> tuple[int | float, SqlType]:
    parsed = parse_number(text)
    if parsed is None:
        raise _invalid(common, text)
    return parsed


def _as(expression: ex.Expression, common: SqlType) -> ex.Expression:
    if expression.type is None or expression.type == common:
        return expression
    text = _text(expression)
    if text is not None and common == BOOLEAN:
        flag = parse_boolean(text)
        if flag is None:
            raise _invalid(common, text)
        return ex.Literal(flag, BOOLEAN)
    if text is not None and common.is_numeric:
        return ex.Literal(_number(text, common)[0], common)
    return ex.Cast(expression, common)
