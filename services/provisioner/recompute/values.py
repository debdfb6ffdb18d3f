"""Records of the source topics as ksqlDB reads them: lenient with numbers, strict with texts. What it cannot read it skips; so does this.

How a JSON value becomes a column's value was observed on ksqlDB 8.1 and, for what no recording has, on the JSON reader that it uses
(Jackson 2.19, with exact decimals):

- a number as a text keeps its digits: a whole number of any size as it is, any other as Java's ``BigDecimal`` writes it (``12.50``,
  ``1E+5``, ``0.00001``);
- a number as an integer is cut towards zero and wraps round at the type's size, exactly, however large it is;
- a text as an integer may have a sign and decimal digits of any script, and nothing else; it must fit;
- anything is a text: an array is ``[1, a]``, an object its JSON;
- text after the first value is ignored; a number of more than 1,000 digits, a value that is nested deeper than 1,000 levels, or bytes
  that are not UTF-8 make the record unreadable, anywhere in the first value.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson

from shared import dimension

#: Jackson's limits
_DIGITS: Final = 1_000
_DEPTH: Final = 1_000
_NAME: Final = 50_000
_EXPONENT: Final = (1 << 31) - 1

# a level takes a few frames, more than Python allows for this depth by itself
sys.setrecursionlimit(max(sys.getrecursionlimit(), 8 * _DEPTH))

_ASCII_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,19}")
_MARK: Final = "\ufeff".encode()
#: values that orjson reads as Jackson does
_PLAIN: Final = frozenset({str, int, type(None)})
#: shorter than anything that reaches one of the limits
_SHORT: Final = 1_000


class Unreadable(ValueError):
    """A record that the pipeline skips; the message says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """A page view or a login: ``group`` is its source or device as it is counted, None if that is null; ``written_as`` is what the
    record says, where that is another text. The same goes for the ``page`` of a view. ``time`` in ms since the epoch."""

    time: int
    user: int | None
    group: str | None
    written_as: str | None = None
    page: str | None = None
    page_written_as: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A user without a null column; ``country`` as it is counted, ``country_written_as`` what the record says where that differs."""

    age: int
    gender: str
    country: str
    subscription: str
    country_written_as: str | None = None


def read_event(value: bytes | None, time_field: str, group_field: str, page_field: str | None = None) -> Event:
    """The event of one record; without ``page_field`` it has no page.

    Raises:
        Unreadable: null, malformed, or without an event time.
    """
    if value is None:
        raise Unreadable("null value")
    row = read_row(value)
    time = integer(field(row, time_field), 64)
    user = integer(field(row, "user_id"), 32)
    group = _counted(text(field(row, group_field)))
    page = (None, None) if page_field is None else _counted(text(field(row, page_field)))
    if time is None or time < 0:
        raise Unreadable("no event time")
    return Event(time, user, *group, *page)


def _counted(written: str | None) -> tuple[str | None, str | None]:
    """What a text is counted as, and the text itself where that is another one."""
    name = None if written is None else dimension.apply(written)
    return name, None if name == written else written


def read_user(value: bytes | None) -> User | None:
    """The user, or None if it is deleted or a column is null.

    Raises:
        Unreadable: malformed; the version before it stays.
    """
    if value is None:
        return None
    row = read_row(value)
    age = integer(field(row, "age"), 32)
    gender, country, subscription = (text(field(row, name)) for name in ("gender", "country", "subscription"))
    if age is None or gender is None or country is None or subscription is None:
        return None
    counted = dimension.apply(country)
    written_as = None if counted == country else country
    return User(age, dimension.as_java(gender), counted, dimension.as_java(subscription), written_as)


def read_row(value: bytes) -> dict[str, Any]:
    """The first JSON object of the bytes. Whole numbers are int, all others Decimal.

    Raises:
        Unreadable: it is malformed or no object.
    """
    if len(value) < _SHORT:
        try:
            row = orjson.loads(value)
        except orjson.JSONDecodeError:
            row = None
        if type(row) is dict and _PLAIN.issuperset(map(type, row.values())):
            return row
    try:
        row, _ = _DECODER.raw_decode(_decoded(value).lstrip(" \t\r\n"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("malformed") from error
    if not isinstance(row, dict):
        raise Unreadable("not an object")
    _check(row)
    return row


def field(row: dict[str, Any], name: str) -> Any:
    """The field that feeds the column ``name``: the one in upper case, or else the last whose name in upper case is that."""
    upper = name.upper()
    if upper in row:
        return row[upper]
    return next((row[other] for other in reversed(row) if other.upper() == upper), None)


def integer(value: Any, bits: int) -> int | None:
    """As a column of so many bits. Raises Unreadable for what is neither a number nor a text that is one."""
    half = 1 << (bits - 1)
    if value is None:
        return None
    if isinstance(value, str):
        number = _parsed(value)
        if number is None or not -half <= number < half:
            raise Unreadable("not a number")
        return number
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable("not a number")
    return (_cut(value) + half) % (2 * half) - half


def text(value: Any) -> str | None:
    """As a VARCHAR."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join("null" if item is None else str(text(item)) for item in value) + "]"
    return _json(value)


def _decoded(value: bytes) -> str:
    """As far as it is UTF-8: what comes after the first value may be anything."""
    value = value.removeprefix(_MARK)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        return value[: error.start].decode()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > _DIGITS:
        raise ValueError("too many digits")
    return int(digits)


def _decimal(number: str) -> Decimal:
    exponent = number.lower().partition("e")[2]
    if sum(map(str.isdigit, number)) > _DIGITS or (exponent and abs(int(exponent)) > _EXPONENT):
        raise ValueError("too many digits")
    try:
        made = Decimal(number)
    except InvalidOperation as error:
        raise ValueError("the exponent is too large") from error
    if not -_EXPONENT <= _power(made) <= _EXPONENT + 1:
        raise ValueError("the exponent is too large")
    return made or made.copy_abs()  # Java has no -0


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_int=_whole, parse_float=_decimal)


def _check(row: dict[str, Any]) -> None:
    """Raises Unreadable for what Jackson refuses though it is JSON."""
    level: list[Any] = [row]
    depth = 0
    while level:
        depth += 1
        if depth > _DEPTH:
            raise Unreadable("nested too deep")
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                if any(len(name) > _NAME for name in one):
                    raise Unreadable("a name is too long")
                below += [item for item in one.values() if isinstance(item, dict | list)]
            else:
                below += [item for item in one if isinstance(item, dict | list)]
        level = below


def _power(number: Decimal) -> int:
    """The power of ten of a finite number's last digit."""
    return int(number.as_tuple().exponent)


def _cut(number: int | Decimal) -> int:
    """Towards zero, modulo 2^64 at least."""
    if isinstance(number, int):
        return number
    if _power(number) >= 64:
        return 0  # a multiple of 2^64
    return 0 if number.adjusted() < 0 else int(number)


def _parsed(value: str) -> int | None:
    if _ASCII_WHOLE.fullmatch(value):
        return int(value)
    digits = value[1:] if value[:1] in ("+", "-") else value
    # Java looks at one UTF-16 unit at a time, so that digits beyond U+FFFF are none
    if not digits.isdecimal() or max(digits) > "\uffff":
        return None
    plain = "".join(str(unicodedata.decimal(digit)) for digit in digits).lstrip("0") or "0"
    # 20 digits fit in no column
    return None if len(plain) > 20 else int(plain) * (-1 if value[0] == "-" else 1)


_CONTROL: Final = re.compile(r"[\x00-\x1f\"\\]")
_SHORT_ESCAPES: Final = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def _quoted(value: str) -> str:
    return '"' + _CONTROL.sub(lambda found: _SHORT_ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}", value) + '"'


def _json(value: Any) -> str:
    """As Jackson writes it."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(name)}:{_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
