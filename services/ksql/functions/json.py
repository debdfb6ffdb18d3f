"""JSON as Jackson reads and writes it where numbers keep their own digits, and the functions over JSON texts.

A whole number is an int of any size, any other a Decimal. Refused, anywhere in the first value: a number of more than
1,000 digits, nesting deeper than 1,000 levels, a name of more than 50,000 characters, NaN and Infinity, and bytes that are not
UTF-8. What follows the first value is ignored. A text that is not JSON, or a path that leads nowhere, gives NULL.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from decimal import Decimal
from typing import Any, Final, NoReturn

from services.ksql.functions.definitions import scalar
from services.ksql.functions.java_time import date_text, time_text, timestamp_text
from services.ksql.functions.numbers import decimal_text, java_double, parse_decimal
from services.ksql.model.types import BaseType, SqlType

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


_KIND = "JSON"
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")


def _steps(path: str) -> list[str | int] | None:
    if not path.startswith("$"):
        return None
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            return None
        steps.append(int(found[2]) if found[2] is not None else found[1] if found[1] is not None else found[3])
        position = found.end()
    return steps


@scalar("EXTRACTJSONFIELD", "STRING, STRING -> STRING", category=_KIND)
def extract_json_field(input: str, path: str) -> str | None:  # noqa: A002
    """What a JSON path ($.a.b[0]) leads to: a text as it is, anything else as JSON."""
    steps = _steps(path)
    if steps is None:
        return None
    try:
        value = loads(input)
        for step in steps:
            if isinstance(step, int) != isinstance(value, list):
                return None
            value = value[step]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return None if value is None else value if isinstance(value, str) else dumps(value)


@scalar("IS_JSON_STRING", "STRING -> BOOLEAN", category=_KIND, nulls=True)
def is_json_string(input: str | None) -> bool:  # noqa: A002
    """Whether the text is JSON."""
    if input is None:
        return False
    try:
        loads(input)
    except ValueError:
        return False
    return True


@scalar("JSON_ARRAY_LENGTH", "STRING -> INTEGER", category=_KIND)
def json_array_length(jsonArray: str) -> int | None:  # noqa: N803
    """How many elements a JSON array has; NULL for anything else."""
    value = loads(jsonArray)
    return len(value) if isinstance(value, list) else None


@scalar("JSON_KEYS", "STRING -> ARRAY<STRING>", category=_KIND)
def json_keys(jsonObj: str) -> list[str] | None:  # noqa: N803
    """The field names of a JSON object; NULL for anything else."""
    value = loads(jsonObj)
    return list(value) if isinstance(value, dict) else None


@scalar("JSON_CONCAT", "STRING... -> STRING", category=_KIND)
def json_concat(*jsonStrings: str) -> str | None:  # noqa: N803
    """Objects merged, or arrays joined."""
    values = [loads(text) for text in jsonStrings]
    if all(isinstance(v, dict) for v in values):
        return dumps({k: v for value in values for k, v in value.items()})
    return dumps([item for v in values for item in (v if isinstance(v, list) else [v])])


@scalar("JSON_ITEMS", "STRING -> ARRAY<STRING>", category=_KIND)
def json_items(jsonItems: str) -> list[str] | None:  # noqa: N803
    """The elements of a JSON array, each as JSON."""
    value = loads(jsonItems)
    return [dumps(item) for item in value] if isinstance(value, list) else None


@scalar("JSON_RECORDS", "STRING -> MAP<STRING, STRING>", category=_KIND)
def json_records(jsonObj: str) -> dict[str, str] | None:  # noqa: N803
    """The fields of a JSON object, each value as JSON."""
    value = loads(jsonObj)
    return {name: dumps(item) for name, item in value.items()} if isinstance(value, dict) else None


@scalar(
    "JSON_ARRAY_CONTAINS",
    *(f"STRING, {t} -> BOOLEAN" for t in ("STRING", "INTEGER", "BIGINT", "DOUBLE", "BOOLEAN")),
    category=_KIND,
    nulls=True,
)
def json_array_contains(jsonArray: str | None, val: Any) -> bool:  # noqa: N803
    """Whether a JSON array has an element of the same type and value."""
    try:
        value = None if jsonArray is None else loads(jsonArray)
    except ValueError:
        return False
    if not isinstance(value, list):
        return False
    return any(_same_kind(item, val) and item == val for item in value)


def _same_kind(item: Any, value: Any) -> bool:
    if isinstance(value, float):
        return isinstance(item, Decimal)
    if isinstance(value, int) and not isinstance(value, bool):
        return isinstance(item, int) and not isinstance(item, bool)
    return type(item) is type(value)


@scalar("TO_JSON_STRING", "T -> STRING", category=_KIND, nulls=True, typed=True)
def to_json_string(types: tuple[SqlType, ...], val: Any) -> str:
    """The value as JSON; points in time and bytes are texts."""
    return _json_of(val, types[0])


def _json_of(value: Any, kind: SqlType) -> str:  # noqa: PLR0911 - one answer per type
    if value is None:
        return "null"
    match kind.base:
        case BaseType.ARRAY:
            return "[" + ",".join(_json_of(item, kind.item) for item in value) + "]"
        case BaseType.MAP:
            return "{" + ",".join(f"{_quoted(str(n))}:{_json_of(v, kind.item)}" for n, v in value.items()) + "}"
        case BaseType.STRUCT:
            return "{" + ",".join(f"{_quoted(name)}:{_json_of(value[name], one)}" for name, one in kind.fields) + "}"
        case BaseType.BYTES:
            return _quoted(base64.b64encode(value).decode())
        case BaseType.DOUBLE:
            text = java_double(value)
            return text if text[-1].isdigit() else _quoted(text)
        case BaseType.DECIMAL:
            return decimal_text(value)
        case BaseType.DATE:
            return _quoted(date_text(value))
        case BaseType.TIME:
            return _quoted(time_text(value))
        case BaseType.TIMESTAMP:
            return _quoted(timestamp_text(value))
    return dumps(value)
