"""What compiled expressions call. NULL in gives NULL out for arithmetic and casts; a comparison with NULL is false."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from services.ksql.functions import numbers
from services.ksql.functions.java_time import date_text, partial_timestamp, time_text, timestamp_text
from services.ksql.functions.numbers import java_double
from services.ksql.model.types import BIGINT, DOUBLE, INTEGER, BaseType, SqlType

Binary = Callable[[Any, Any], Any]
Unary = Callable[[Any], Any]

_DAY = 86_400_000


def _or_null(function: Binary) -> Binary:
    return lambda a, b: None if a is None or b is None else function(a, b)


def _whole(wrap: Callable[[int], int]) -> dict[str, Binary]:
    return {
        "+": lambda a, b: wrap(a + b),
        "-": lambda a, b: wrap(a - b),
        "*": lambda a, b: wrap(a * b),
        "/": lambda a, b: wrap(numbers.divide_int(a, b)),
        "%": numbers.remainder_int,
    }


_DOUBLES: dict[str, Binary] = {
    "+": lambda a, b: float(a) + b,
    "-": lambda a, b: float(a) - b,
    "*": lambda a, b: float(a) * b,
    "/": lambda a, b: numbers.divide_double(float(a), float(b)),
    "%": lambda a, b: numbers.remainder_double(float(a), float(b)),
}


def arithmetic(op: str, kind: SqlType, *, strict: bool = False) -> Binary:
    """The function of an arithmetic operator for results of type ``kind``. Division of whole numbers by 0 raises, and with ``strict``
    NULL does."""
    if strict:
        plain = arithmetic(op, kind)
        return lambda a, b: plain(_value(a), _value(b))
    if kind == INTEGER:
        return _or_null(_whole(numbers.wrap_int)[op])
    if kind == BIGINT:
        return _or_null(_whole(numbers.wrap_long)[op])
    if kind == DOUBLE:
        return _or_null(_DOUBLES[op])
    if kind.base is BaseType.DECIMAL:
        return _or_null(numbers.decimal_operation(op, kind.precision, kind.scale))
    return _or_null(lambda a, b: a + b)


def _value(value: Any) -> Any:
    if value is None:
        raise ValueError("NULL has no value")
    return value


def negation(kind: SqlType) -> Unary:
    if kind.base is BaseType.DECIMAL:
        return lambda a: None if a is None else a.copy_negate() if a else a
    wrap = {INTEGER: numbers.wrap_int, BIGINT: numbers.wrap_long}.get(kind, float)
    return lambda a: None if a is None else wrap(-a)


def item(value: Any, index: Any) -> Any:
    """The item of an ARRAY, from 1, or from the end with -1; NULL where there is none."""
    if value is None or index is None or index == 0 or abs(index) > len(value):
        return None
    return value[index - 1 if index > 0 else index]


def entry(value: Any, key: Any) -> Any:
    """The value of a MAP's key, or of a STRUCT's field."""
    return None if value is None else value.get(key)


def make_map(keys: tuple[Any, ...], values: tuple[Any, ...]) -> dict[Any, Any]:
    """A MAP of these keys and values."""
    return dict(zip(keys, values, strict=True))


COMPARISONS: dict[str, Binary] = {
    "=": lambda a, b: a is not None and b is not None and a == b,
    "<>": lambda a, b: a is not None and b is not None and a != b,
    "<": lambda a, b: a is not None and b is not None and a < b,
    "<=": lambda a, b: a is not None and b is not None and a <= b,
    ">": lambda a, b: a is not None and b is not None and a > b,
    ">=": lambda a, b: a is not None and b is not None and a >= b,
    "IS DISTINCT FROM": lambda a, b: a != b,
    "IS NOT DISTINCT FROM": lambda a, b: a == b,
}


def inverse(value: Any) -> Any:
    return None if value is None else not value


def between(value: Any, low: Any, high: Any) -> bool:
    return value is not None and low is not None and high is not None and low <= value <= high


def one_of(value: Any, options: tuple[Any, ...]) -> bool:
    return value is not None and value in options


@lru_cache(maxsize=1024)
def _like_pattern(pattern: str, escape: str | None) -> re.Pattern[str]:
    """Text between two % is searched once, from the left: atomic groups, or each % would try every place of the next."""
    parts = [""]
    escaped = False
    for char in pattern:
        if escaped or char not in ("%", "_", escape):
            parts[-1] += re.escape(char)
            escaped = False
        elif char == escape:
            escaped = True
        elif char == "%":
            parts.append("")
        else:
            parts[-1] += "."
    first, *between = parts
    last = f".*{between.pop()}" if between else ""
    return re.compile(first + "".join(f"(?>.*?{part})" for part in between if part) + last, re.DOTALL)


def like(value: Any, pattern: Any, escape: str | None) -> bool:
    return value is not None and pattern is not None and _like_pattern(pattern, escape).fullmatch(value) is not None


def _parse_whole(bits: int) -> Callable[[str], int]:
    return lambda text: numbers.parse_whole(numbers.trim(text), bits)


def _parse_boolean(text: str) -> bool:
    lowered = numbers.trim(text).lower()
    return bool(lowered) and ("true".startswith(lowered) or "yes".startswith(lowered))


def _parse_time(text: str) -> int:
    return partial_timestamp("1970-01-01T" + text)


def _same(value: Any) -> Any:
    return value


def _whole_text(value: Any) -> str:
    return str(value)


def text_of(kind: SqlType) -> Unary:
    """How a value of this type that is not NULL is written as a text; a STRUCT without its fields that are NULL."""
    if not kind.is_complex:
        return _TEXTS.get(kind.base, _whole_text)
    if kind.base is BaseType.ARRAY:
        one = _or_null_text(text_of(kind.item))
        return lambda value: f"[{', '.join(map(one, value))}]"
    if kind.base is BaseType.MAP:
        key, one = text_of(kind.map_key), _or_null_text(text_of(kind.item))
        return lambda value: "{" + ", ".join(f"{key(k)}={one(v)}" for k, v in value.items()) + "}"
    fields = [(name, text_of(field)) for name, field in kind.fields]
    return lambda value: (
        "Struct{" + ",".join(f"{name}={one(value[name])}" for name, one in fields if value[name] is not None) + "}"
    )


def _or_null_text(text: Unary) -> Unary:
    return lambda value: "null" if value is None else text(value)


_TEXTS: dict[BaseType, Unary] = {
    BaseType.BOOLEAN: lambda v: "true" if v else "false",
    BaseType.DOUBLE: java_double,
    BaseType.DECIMAL: numbers.decimal_text,
    BaseType.TIMESTAMP: timestamp_text,
    BaseType.DATE: date_text,
    BaseType.TIME: time_text,
}
_FROM_TEXT: dict[BaseType, Unary] = {
    BaseType.BOOLEAN: _parse_boolean,
    BaseType.INTEGER: _parse_whole(32),
    BaseType.BIGINT: _parse_whole(64),
    BaseType.DOUBLE: numbers.parse_double,
    BaseType.TIMESTAMP: partial_timestamp,
    BaseType.DATE: lambda text: partial_timestamp(text) // _DAY,
    BaseType.TIME: _parse_time,
}
_OTHER: dict[tuple[BaseType, BaseType], Unary] = {
    (BaseType.INTEGER, BaseType.DOUBLE): float,
    (BaseType.BIGINT, BaseType.DOUBLE): float,
    (BaseType.BIGINT, BaseType.INTEGER): numbers.wrap_int,
    (BaseType.DOUBLE, BaseType.INTEGER): numbers.to_int,
    (BaseType.DOUBLE, BaseType.BIGINT): numbers.to_long,
    (BaseType.TIMESTAMP, BaseType.DATE): lambda v: v // _DAY,
    (BaseType.TIMESTAMP, BaseType.TIME): lambda v: v % _DAY,
    (BaseType.DATE, BaseType.TIMESTAMP): lambda v: v * _DAY,
}


def cast(source: SqlType | None, target: SqlType) -> Unary:
    """The conversion between two types; it raises ValueError for a text that does not fit."""
    if source is None or source == target:
        return _same
    if target.base is BaseType.STRING:
        convert = text_of(source)
    elif target.base is BaseType.DECIMAL:
        precision, scale = target.precision, target.scale

        def convert(value: Any) -> Any:
            return numbers.to_decimal(numbers.trim(value) if isinstance(value, str) else value, precision, scale)

    elif source.base is BaseType.STRING:
        convert = _FROM_TEXT.get(target.base, _same)
    elif source.base is BaseType.DECIMAL:
        convert = _FROM_DECIMAL[target.base]
    elif target.is_complex:
        convert = _complex(source, target)
    else:
        convert = _OTHER.get((source.base, target.base), _same)
    return lambda value: None if value is None else convert(value)


_FROM_DECIMAL: dict[BaseType, Unary] = {
    BaseType.INTEGER: lambda value: numbers.whole_of(value, 32),
    BaseType.BIGINT: lambda value: numbers.whole_of(value, 64),
    BaseType.DOUBLE: float,
}


def _complex(source: SqlType, target: SqlType) -> Unary:
    if target.base is BaseType.STRUCT:
        theirs = dict(source.fields)
        fields = [(name, cast(theirs[name], field) if name in theirs else None) for name, field in target.fields]
        return lambda value: {name: None if one is None else one(value[name]) for name, one in fields}
    inner = cast(source.item, target.item)
    if target.base is BaseType.ARRAY:
        return lambda value: [inner(one) for one in value]
    key = cast(source.map_key, target.map_key)
    return lambda value: {key(name): inner(one) for name, one in value.items()}
