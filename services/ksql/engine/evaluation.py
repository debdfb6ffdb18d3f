"""What compiled expressions call. NULL in gives NULL out for arithmetic and casts; a comparison with NULL is false."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from services.ksql.functions import numbers
from services.ksql.functions.java_time import Moment, formatter, partial_timestamp
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


def arithmetic(op: str, kind: SqlType) -> Binary:
    """The function of an arithmetic operator for results of type ``kind``. Division of whole numbers by 0 raises."""
    if kind == INTEGER:
        return _or_null(_whole(numbers.wrap_int)[op])
    if kind == BIGINT:
        return _or_null(_whole(numbers.wrap_long)[op])
    if kind == DOUBLE:
        return _or_null(_DOUBLES[op])
    return _or_null(lambda a, b: a + b)


def negation(kind: SqlType) -> Unary:
    wrap = {INTEGER: numbers.wrap_int, BIGINT: numbers.wrap_long}.get(kind, float)
    return lambda a: None if a is None else wrap(-a)


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


def _timestamp_text(millis: int) -> str:
    return formatter("yyyy-MM-dd'T'HH:mm:ss.SSS").format(Moment.at_millis(millis))


def _date_text(days: int) -> str:
    return formatter("yyyy-MM-dd").format(Moment(days=days))


def _time_text(millis: int) -> str:
    seconds, rest = divmod(millis, 1000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
    if seconds % 60 or rest:
        text += f":{seconds % 60:02d}"
    return text + (f".{rest:03d}" if rest else "")


def _parse_time(text: str) -> int:
    return partial_timestamp("1970-01-01T" + text)


def _same(value: Any) -> Any:
    return value


_TEXTS: dict[BaseType, Unary] = {
    BaseType.BOOLEAN: lambda v: "true" if v else "false",
    BaseType.DOUBLE: java_double,
    BaseType.TIMESTAMP: _timestamp_text,
    BaseType.DATE: _date_text,
    BaseType.TIME: _time_text,
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
        convert = _TEXTS.get(source.base, str)
    elif source.base is BaseType.STRING:
        convert = _FROM_TEXT.get(target.base, _same)
    else:
        convert = _OTHER.get((source.base, target.base), _same)
    return lambda value: None if value is None else convert(value)
