"""The JSON format, for values and keys.

Field names match in any case: the exact name first, then the upper-case one, then the last that matches. Text after the
first JSON value is ignored; NaN and Infinity are refused; the JSON text ``null`` and empty text are errors.

A record whose fields have the types of their columns is read by orjson. Every other one is read again with the digits of its numbers
(``exact_json``), as orjson makes doubles of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from services.ksql.functions.exact_json import loads_bytes, may_exceed_limits
from services.ksql.model.schema import Column
from services.ksql.model.types import BaseType
from services.ksql.serde.base import DecodeError
from services.ksql.serde.coerce import coercion

Decode = Callable[[bytes], tuple[Any, ...]]

_ABSENT = "\x00"
_SHAPES_KEPT = 256


def _exactly(data: bytes) -> Any:
    try:
        return loads_bytes(data)
    except ValueError as error:
        raise DecodeError(str(error)) from error


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

    conversions = [coercion(column.type) for column in columns]

    def exactly(data: bytes) -> tuple[Any, ...]:
        found = _exactly(data)
        if found.__class__ is not dict:
            raise DecodeError("not a JSON object")
        chosen = field_names(found, names)
        return tuple(convert(found.get(name)) for name, convert in zip(chosen, conversions, strict=True))

    scope: dict[str, Any] = {
        "exactly": exactly,
        "loads": orjson.loads,
        "odd": may_exceed_limits,
        "shapes": shapes,
        "learn": learn,
        "DecodeError": DecodeError,
    }
    lines = [
        "def decode(data):",
        " try:",
        "  o = loads(data)",
        " except ValueError:",
        "  return exactly(data)",
        " if len(data) >= 1000 and odd(data):",
        "  return exactly(data)",
        " if o.__class__ is not dict:",
        "  raise DecodeError('not a JSON object')",
        " shape = tuple(o)",
        " n = shapes.get(shape) or learn(shape)" if columns else " n = ()",
    ]
    for index, column in enumerate(columns):
        v, base = f"v{index}", column.type.base
        scope[f"to{index}"] = conversions[index]
        lines.append(f" {v} = o.get(n[{index}])")
        if base is BaseType.DOUBLE:
            # a decimal knows no negative zero
            lines += [
                f" if {v}.__class__ is float:",
                f"  {v} += 0.0",
                f" elif {v} is not None:",
                f"  {v} = to{index}({v})",
            ]
        elif base in _CHECKS:
            lines += [
                f" if {v} is not None and not ({_CHECKS[base].format(v=v)}):",
                f"  if {v}.__class__ in {{float, list, dict}}:",
                "   return exactly(data)",
                f"  {v} = to{index}({v})",
            ]
        else:
            lines += [f" if {v} is not None:", "  return exactly(data)"]
    lines.append(f" return ({''.join(f'v{i}, ' for i in range(len(columns)))})")
    exec("\n".join(lines), scope)  # noqa: S102 - the text is made above from numbers only
    decode: Decode = scope["decode"]
    return decode


def bare_decoder(column: Column) -> Decode:
    """Reads a single value that is not wrapped in an object."""
    convert = coercion(column.type)

    def decode(data: bytes) -> tuple[Any, ...]:
        try:
            value = orjson.loads(data)
        except ValueError:
            value = None
        # a text, or a whole number that orjson does not make a double of
        if value.__class__ not in (str, int) or len(data) >= 1000:
            value = _exactly(data)
        return (convert(value),)

    return decode
