"""JSON as Jackson reads and writes it where numbers keep their own digits: a whole number is an int of any size, any other a Decimal.

Refused, wherever it stands in the first value: a number of more than 1,000 digits, nesting deeper than 1,000 levels, a name of more than
50,000 characters, NaN and Infinity, and bytes that are not UTF-8. What follows the first value is ignored.
"""

from __future__ import annotations

import json
import re
import sys
from decimal import Decimal
from typing import Any, Final, NoReturn

from services.ksql.functions.numbers import parse_decimal

_DIGITS: Final = 1_000
_DEPTH: Final = 1_000
_NAME: Final = 50_000
_MARK: Final = b"\xef\xbb\xbf"

# a level takes a few frames, more than Python allows for this depth by itself
sys.setrecursionlimit(max(sys.getrecursionlimit(), 8 * _DEPTH))

#: a number of 1,001 digits has so many in a row in its whole part, its fraction or its exponent
_LONG_NUMBER: Final = re.compile(rb"[0-9]{334}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\"\\]")
_SHORT_ESCAPES: Final = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def loads(text: str) -> Any:
    """The first value of a text.

    Raises:
        ValueError: it is malformed, or beyond a limit.
    """
    try:
        value, _ = _DECODER.raw_decode(text.lstrip(" \t\r\n"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    _check(value)
    return value


def loads_bytes(data: bytes) -> Any:
    """The first value of UTF-8 bytes, after a byte order mark too; what comes after it may be anything. Raises ValueError."""
    data = data.removeprefix(_MARK)
    try:
        return loads(data.decode())
    except UnicodeDecodeError as error:
        return loads(data[: error.start].decode())


def may_exceed_limits(data: bytes) -> bool:
    """Whether JSON of 1,000 bytes or more must be looked at closely: another reader would take what this one refuses."""
    return (
        len(data) > _NAME
        or _LONG_NUMBER.search(data) is not None
        or data.count(b"[") + data.count(b"{") > _DEPTH
    )  # fmt: skip


def dumps(value: Any) -> str:
    """As Jackson writes it."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(name)}:{dumps(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    return '"' + _CONTROL.sub(lambda found: _SHORT_ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}", text) + '"'


def _constant(name: str) -> NoReturn:
    raise ValueError(f"Non-standard token '{name}'")


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > _DIGITS:
        raise ValueError("a number of too many digits")
    return int(digits)


def _decimal(number: str) -> Decimal:
    if sum(map(str.isdigit, number)) > _DIGITS:
        raise ValueError("a number of too many digits")
    return parse_decimal(number)


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_int=_whole, parse_float=_decimal)


def _check(value: Any) -> None:
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > _DEPTH:
            raise ValueError("nested too deep")
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict) and any(len(name) > _NAME for name in one):
                raise ValueError("a name is too long")
            items = one.values() if isinstance(one, dict) else one
            below += [item for item in items if isinstance(item, dict | list)]
        level = below
