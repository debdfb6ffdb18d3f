"""Rules about types: what may be compared, combined and converted."""

from __future__ import annotations

from services.ksql.model.types import BIGINT, DOUBLE, INTEGER, STRING, BaseType, SqlType

_WIDTH = {BaseType.INTEGER: 0, BaseType.BIGINT: 1, BaseType.DOUBLE: 2}
_TEMPORAL = {BaseType.DATE, BaseType.TIME, BaseType.TIMESTAMP}
_COMPARISONS = {
    "=": "EQUAL",
    "<>": "NOT_EQUAL",
    "<": "LESS_THAN",
    "<=": "LESS_THAN_OR_EQUAL",
    ">": "GREATER_THAN",
    ">=": "GREATER_THAN_OR_EQUAL",
    "IS DISTINCT FROM": "IS_DISTINCT_FROM",
    "IS NOT DISTINCT FROM": "IS_NOT_DISTINCT_FROM",
}
_TRUE_TEXTS, _FALSE_TEXTS = ("true", "yes"), ("false", "no")


def comparison_name(op: str) -> str:
    """ksqlDB's name of a comparison operator."""
    return _COMPARISONS[op]


def wider(left: SqlType, right: SqlType) -> SqlType | None:
    """The numeric type that holds both, None if one is no number."""
    if left.base not in _WIDTH or right.base not in _WIDTH:
        return None
    return max(left, right, key=lambda t: _WIDTH[t.base])


def common_for_comparison(op: str, left: SqlType, right: SqlType) -> SqlType | None:
    """The type in which two values are compared with ``op``, None if they cannot be."""
    number = wider(left, right)
    if number is not None:
        return number
    bases = {left.base, right.base}
    if left == right:
        ordered = op in ("<", "<=", ">", ">=")
        unordered_type = left.base in (BaseType.BOOLEAN, BaseType.ARRAY, BaseType.STRUCT)
        return None if ordered and unordered_type else left
    if BaseType.STRING in bases and bases & _TEMPORAL:
        return left if left.base in _TEMPORAL else right
    if bases == {BaseType.DATE, BaseType.TIMESTAMP}:
        return left if left.base is BaseType.TIMESTAMP else right
    return None


def common_for_arithmetic(op: str, left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """The type of an arithmetic result; + also joins texts."""
    if left is None or right is None:
        return None
    if op == "+" and left == right == STRING:
        return STRING
    return wider(left, right)


def can_cast(source: SqlType, target: SqlType) -> bool:
    if target in (source, STRING):
        return True
    if source == STRING:
        return target.base not in (BaseType.ARRAY, BaseType.STRUCT, BaseType.BYTES)
    if source.is_numeric and target.is_numeric:
        return True
    return (source.base, target.base) in {
        (BaseType.TIMESTAMP, BaseType.DATE),
        (BaseType.TIMESTAMP, BaseType.TIME),
        (BaseType.DATE, BaseType.TIMESTAMP),
    }


def parse_boolean(text: str) -> bool | None:
    """What a text means as BOOLEAN: any beginning of true, yes, false, no; None if nothing."""
    lower = text.strip().lower()
    if lower and any(word.startswith(lower) for word in _TRUE_TEXTS):
        return True
    if lower and any(word.startswith(lower) for word in _FALSE_TEXTS):
        return False
    return None


def parse_number(text: str) -> tuple[int | float, SqlType] | None:
    """The number in a text with its smallest type, None if there is none."""
    try:
        whole = int(text.strip())
    except ValueError:
        try:
            return float(text.strip()), DOUBLE
        except ValueError:
            return None
    return whole, INTEGER if -(2**31) <= whole < 2**31 else BIGINT
