"""The JSON format, for values and keys.

Field names match in any case: the exact name first, then the upper-case one, then the last that matches. Text after the
first JSON value is ignored; NaN and Infinity are refused; the JSON text ``null`` and empty text are errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from services.ksql.model.schema import Column
from services.ksql.model.types import BaseType
from services.ksql.serde.coerce import coercion
from services.ksql.serde.errors import DecodeError

Decode = Callable[[bytes], tuple[Any, ...]]

_ABSENT = "\x00"
_SHAPES_KEPT = 256


def _refuse(token: str) -> Any:
    raise DecodeError(f"Non-standard token '{token}'")


_LENIENT = json.JSONDecoder(parse_constant=_refuse)


def load_first(data: bytes) -> Any:
    """The first JSON value of ``data``. Raises DecodeError."""
    try:
        text = data.decode("utf-8", "replace").lstrip(" \t\r\n")
        value, _ = _LENIENT.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(str(error)) from error
    return value


def _load(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return load_first(data)


def field_names(present: Iterable[str], columns: Sequence[str]) -> tuple[str, ...]:
    """For each column the name of the field that feeds it."""
    upper: dict[str, str] = {}
    exact = set()
    for name in present:
        exact.add(name)
        upper[name.upper()] = name
    chosen = []
    for column in columns:
        big = column.upper()
        chosen.append(column if column in exact else big if big in exact else upper.get(big, _ABSENT))
    return tuple(chosen)


_CHECKS = {
    BaseType.INTEGER: "{v}.__class__ is int and -2147483648 <= {v} <= 2147483647",
    BaseType.BIGINT: "{v}.__class__ is int and -9223372036854775808 <= {v} <= 9223372036854775807",
    BaseType.DOUBLE: "{v}.__class__ is float",
    BaseType.STRING: "{v}.__class__ is str",
    BaseType.BOOLEAN: "{v}.__class__ is bool",
    BaseType.DATE: "{v}.__class__ is int and -2147483648 <= {v} <= 2147483647",
    BaseType.TIME: "{v}.__class__ is int and -2147483648 <= {v} <= 2147483647",
    BaseType.TIMESTAMP: "{v}.__class__ is int and -9223372036854775808 <= {v} <= 9223372036854775807",
}


def object_decoder(columns: Sequence[Column]) -> Decode:
    """Reads objects into tuples in the order of ``columns``. The code is made for the schema: one check per column."""
    names = tuple(c.name for c in columns)
    shapes: dict[tuple[str, ...], tuple[str, ...]] = {}

    def learn(shape: tuple[str, ...]) -> tuple[str, ...]:
        chosen = field_names(shape, names)
        if len(shapes) < _SHAPES_KEPT:
            shapes[shape] = chosen
        return chosen

    scope: dict[str, Any] = {
        "load": _load,
        "loads": orjson.loads,
        "shapes": shapes,
        "learn": learn,
        "DecodeError": DecodeError,
    }
    lines = [
        "def decode(data):",
        " try:",
        "  o = loads(data)",
        " except ValueError:",
        "  o = load(data)",
        " if o.__class__ is not dict:",
        "  raise DecodeError('not a JSON object')",
        " shape = tuple(o)",
        " n = shapes.get(shape) or learn(shape)" if columns else " n = ()",
    ]
    for index, column in enumerate(columns):
        v = f"v{index}"
        scope[f"to{index}"] = coercion(column.type)
        check = _CHECKS.get(column.type.base)
        condition = f"{v} is not None and not ({check.format(v=v)})" if check else f"{v} is not None"
        lines += [f" {v} = o.get(n[{index}])", f" if {condition}:", f"  {v} = to{index}({v})"]
    lines.append(f" return ({''.join(f'v{i}, ' for i in range(len(columns)))})")
    exec("\n".join(lines), scope)  # noqa: S102 - the text is made above from numbers only
    decode: Decode = scope["decode"]
    return decode


def bare_decoder(column: Column) -> Decode:
    """Reads a single value that is not wrapped in an object."""
    convert = coercion(column.type)

    def decode(data: bytes) -> tuple[Any, ...]:
        return (convert(_load(data)),)

    return decode
