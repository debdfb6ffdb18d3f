"""The JSON format, for values and keys: read one by one or as columns, written as the real server writes it.

Field names match in any case: the exact name first, then the upper-case one, then the last that matches. Text after the
first JSON value is ignored; NaN and Infinity are refused; the JSON text ``null`` and empty text are errors.

A record whose fields have the types of their columns is read by orjson. Every other one is read again with the digits of its numbers
(``functions.json``), as orjson makes doubles of them, and converted. Many records are read at once where all have the same fields and
plain values. Written JSON has no spaces, doubles as Java's, characters beyond U+FFFF as escapes.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, cast

import orjson

from services.ksql.functions.json import dumps, loads_bytes, may_exceed_limits
from services.ksql.functions.numbers import (
    exact_decimal,
    java_double,
    parse_double,
    parse_whole,
    whole_of,
    wrap_int,
    wrap_long,
)
from services.ksql.model.schema import Column
from services.ksql.model.types import BaseType, SqlType
from services.ksql.serde.base import DecodeError
from shared.json import trimmed
from shared.lazy_numpy import np

Coerce = Callable[[Any], Any]


def _kind(value: Any) -> str:
    return {bool: "BooleanNode", str: "TextNode", list: "ArrayNode", dict: "ObjectNode"}.get(type(value), "NumericNode")


def _whole(value: Any, bits: int, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return parse_whole(value, bits)
        except ValueError as error:
            raise DecodeError(f"Can't coerce string to type. targetType: {name}") from error
    if isinstance(value, Decimal):
        return whole_of(value, bits)
    if isinstance(value, bool) or not isinstance(value, int):
        raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: {name}")
    return wrap_int(value) if bits == 32 else wrap_long(value)


def integer(value: Any) -> int | None:
    """9.7 is 9, 3000000000 wraps round, "12" is 12; "9.7" and true are errors."""
    return _whole(value, 32, "INTEGER")


def bigint(value: Any) -> int | None:
    """As ``integer`` with 64 bits."""
    return _whole(value, 64, "BIGINT")


def double(value: Any) -> float | None:
    """Numbers and texts that are numbers."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return parse_double(value)
        except ValueError as error:
            raise DecodeError("Can't coerce string to type. targetType: DOUBLE") from error
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: DOUBLE")
    try:
        return float(value)
    except OverflowError:  # of whole numbers only
        return math.inf if value > 0 else -math.inf


def boolean(value: Any) -> bool | None:
    """true and false only."""
    if value is None or isinstance(value, bool):
        return value
    raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: BOOLEAN")


def varchar(value: Any) -> str | None:
    """Texts as they are, numbers with the digits they have; an array is [1, a], an object its JSON."""
    if value is None:
        return None
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, list):
        return "[" + ", ".join("null" if item is None else varchar(item) or "" for item in value) + "]"
    return varchar(dumps(value)) if isinstance(value, dict) else dumps(value)


def binary(value: Any) -> bytes | None:
    """BYTES are base64 texts."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: BYTES")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise DecodeError("Value is not a valid Base64 encoded string") from error


def _decimal(precision: int, scale: int) -> Coerce:
    """Numbers and texts that are numbers; digits that the type does not have are an error."""

    def convert(value: Any) -> Decimal | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            raise DecodeError(
                f"Can't convert type. sourceType: {_kind(value)}, requiredType: DECIMAL({precision}, {scale})"
            )
        try:
            return exact_decimal(value, precision, scale)
        except ValueError as error:
            raise DecodeError(str(error)) from error

    return convert


def _map(item: Coerce) -> Coerce:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: MAP")
        return {varchar(name): item(value[name]) for name in in_hash_order(value)}

    return convert


def in_hash_order(names: Collection[str]) -> list[str]:
    """The names in the order in which the real server goes through a MAP that it read: that of a hash table of 2^n places, of which at
    most three quarters are taken."""
    size = 1 << max(len(names) - 1, 0).bit_length()
    while len(names) > size * 3 // 4 and len(names) > 1:
        size *= 2
    return sorted(names, key=lambda name: _spread(name) & (size - 1))


def _spread(name: str) -> int:
    code = 0
    for unit in struct.iter_unpack(">H", name.encode("utf-16-be", "surrogatepass")):
        code = (31 * code + unit[0]) & 0xFFFF_FFFF
    return code ^ (code >> 16)


def _array(element: Coerce) -> Coerce:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: ARRAY")
        return [element(item) for item in value]

    return convert


def _struct(fields: dict[str, Coerce]) -> Coerce:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: STRUCT")
        upper = {name.upper(): item for name, item in value.items()}
        return {name: one(value.get(name, upper.get(name.upper()))) for name, one in fields.items()}

    return convert


_BY_TYPE: dict[BaseType, Coerce] = {
    BaseType.BOOLEAN: boolean,
    BaseType.INTEGER: integer,
    BaseType.BIGINT: bigint,
    BaseType.DOUBLE: double,
    BaseType.STRING: varchar,
    BaseType.BYTES: binary,
    BaseType.DATE: integer,
    BaseType.TIME: integer,
    BaseType.TIMESTAMP: bigint,
}


def coercion(kind: SqlType) -> Coerce:
    """The conversion to ``kind``; it raises DecodeError."""
    if kind.base is BaseType.ARRAY and kind.element is not None:
        return _array(coercion(kind.element))
    if kind.base is BaseType.MAP:
        return _map(coercion(kind.item))
    if kind.base is BaseType.DECIMAL:
        return _decimal(kind.precision, kind.scale)
    if kind.base is BaseType.STRUCT:
        return _struct({name: coercion(field) for name, field in kind.fields})
    return _BY_TYPE[kind.base]


Decode = Callable[[bytes], tuple[Any, ...]]

_ABSENT = "\x00"
_SHAPES_KEPT = 256


def _exactly(data: bytes) -> Any:
    try:
        return loads_bytes(data)
    except ValueError as error:
        raise DecodeError(str(error)) from error


def field_names(present: Iterable[str], columns: Sequence[str]) -> tuple[str, ...]:
    """For each column the name of the field that it is read from."""
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


#: a list for each column in order, or an array where all are whole numbers
Lists = list[Any]
DecodeMany = Callable[[Sequence[bytes | None]], Lists | None]
Choose = Callable[[Sequence[str], Sequence[str]], tuple[str, ...]]

_NULL = type(None)
#: shorter JSON cannot be beyond a limit
_LONG = 1000
#: what orjson gives for a value that needs no conversion
_CLASSES: dict[BaseType, type] = {
    BaseType.INTEGER: int,
    BaseType.BIGINT: int,
    BaseType.DATE: int,
    BaseType.TIME: int,
    BaseType.TIMESTAMP: int,
    BaseType.DOUBLE: float,
    BaseType.STRING: str,
    BaseType.BOOLEAN: bool,
}
_BITS = {BaseType.INTEGER: 32, BaseType.DATE: 32, BaseType.TIME: 32, BaseType.BIGINT: 64, BaseType.TIMESTAMP: 64}


def _plain(values: Sequence[Any], base: BaseType) -> Any | None:
    """The values as they are if all are of the column's type or NULL; None if one must be converted."""
    kind = _CLASSES.get(base)
    found = set(map(type, values))
    if kind is None or not found <= {kind, _NULL}:
        return None
    if kind is int and found != {_NULL}:
        numbers = values if found == {int} else [v for v in values if v is not None]
        bound = 1 << (_BITS[base] - 1)
        if min(numbers) < -bound or max(numbers) >= bound:
            return None
        return np.array(values, dtype=np.int64) if found == {int} else values
    if kind is float and 0.0 in values:  # perhaps a negative zero, which a decimal does not know
        return [value if value is None else value + 0.0 for value in values]
    return values


def _exceed_limits(data: Sequence[bytes]) -> bool:
    return max(map(len, data)) >= _LONG and any(map(may_exceed_limits, data))


def objects_decoder(columns: Sequence[Column], choose: Choose) -> DecodeMany:
    """``choose`` says which of the present fields each column is read from; a name that is absent means none.

    What it gives is None where the values must be read one by one: a malformed one, other fields, a type to convert.
    """
    names = tuple(c.name for c in columns)
    bases = [c.type.base for c in columns]

    def decode(data: Sequence[bytes | None]) -> Lists | None:
        try:
            found = [orjson.loads(value) for value in data]  # type: ignore[arg-type] # None is refused, too
        except (ValueError, TypeError):
            return None
        if not found or _exceed_limits(cast(Sequence[bytes], data)) or set(map(type, found)) != {dict} or not found[0]:
            return None
        fields = tuple(found[0])
        if set(map(len, found)) != {len(fields)}:
            return None
        try:
            # as many fields, and all of these: so these are all
            lists = list(zip(*map(itemgetter(*fields, fields[0]), found), strict=True))
        except KeyError:
            return None
        by_name = dict(zip(fields, lists, strict=False))
        nothing = (None,) * len(found)
        made = []
        for name, base in zip(choose(fields, names), bases, strict=True):
            plain = _plain(by_name.get(name, nothing), base)
            if plain is None:
                return None
            made.append(plain)
        return made

    return decode


Encode = Callable[[Sequence[Any]], bytes | None]
#: a list of values for each column -> the bytes of each row
EncodeMany = Callable[[Sequence[Sequence[Any]]], list[bytes] | None]

_PLAIN = frozenset(
    {
        BaseType.BOOLEAN,
        BaseType.INTEGER,
        BaseType.BIGINT,
        BaseType.STRING,
        BaseType.DATE,
        BaseType.TIME,
        BaseType.TIMESTAMP,
    }
)
#: so many rows show whether rows repeat themselves
_SAMPLE = 200
_BEYOND = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_ESCAPE = re.compile(rb"\\(?:u00[01][0-9a-f]|.)", re.DOTALL)


def _surrogates(found: re.Match[bytes]) -> bytes:
    code = ord(found[0].decode()) - 0x10000
    return b"\\u%04X\\u%04X" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))


def _upper(found: re.Match[bytes]) -> bytes:
    return found[0] if len(found[0]) == 2 else b"\\u" + found[0][2:].upper()


def as_java(data: bytes) -> bytes:
    """orjson's output with the escapes of Jackson."""
    if not data.isascii():
        data = _BEYOND.sub(_surrogates, data)
    return _ESCAPE.sub(_upper, data) if b"\\u00" in data else data


def _double(value: float | None) -> Any:
    if value is None or 1e-3 <= value < 1e7 or value == 0 or -1e7 < value <= -1e-3:
        return value
    text = java_double(value)
    return orjson.Fragment(text if text[-1].isdigit() else f'"{text}"')


def _binary(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _same(value: Any) -> Any:
    return value


def _name(name: Any) -> str:
    return "null" if name is None else str(name)


def converter(kind: SqlType) -> Callable[[Any], Any] | None:  # noqa: PLR0911 - one answer per type
    """What makes a value of ``kind`` ready for orjson; None where it is already."""
    if kind.base in _PLAIN:
        return None
    if kind.base is BaseType.DOUBLE:
        return _double
    if kind.base is BaseType.BYTES:
        return _binary
    if kind.base is BaseType.DECIMAL:
        return lambda value: None if value is None else orjson.Fragment(str(value))
    if kind.base is BaseType.MAP:
        one = converter(kind.item) or _same
        return lambda value: None if value is None else {_name(name): one(item) for name, item in value.items()}
    if kind.base is BaseType.ARRAY and kind.element is not None:
        inner = converter(kind.element)
        return None if inner is None else lambda value: None if value is None else [inner(item) for item in value]
    fields = {name: converter(field) for name, field in kind.fields}
    return lambda value: None if value is None else {n: one(value[n]) if one else value[n] for n, one in fields.items()}


def _dump(value: Any) -> bytes:
    try:
        return as_java(trimmed(orjson.dumps(value)))
    except TypeError:  # a lone surrogate, which UTF-8 cannot carry: Java writes a question mark
        return as_java(orjson.dumps(_without_surrogates(value)))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return [_without_surrogates(v) for v in value] if isinstance(value, list) else value


def object_encoder(columns: Sequence[Column]) -> Encode:
    """Writes rows (values in the order of ``columns``) as objects."""
    scope: dict[str, Any] = {"dump": _dump}
    parts = []
    for index, column in enumerate(columns):
        scope[f"k{index}"] = column.name
        convert = converter(column.type)
        scope[f"c{index}"] = convert
        parts.append(f"k{index}: " + (f"c{index}(r[{index}])" if convert else f"r[{index}]"))
    exec(f"def encode(r): return dump({{{', '.join(parts)}}})", scope)  # noqa: S102 - made from numbers only
    encode: Encode = scope["encode"]
    return encode


def _all_as_java(written: list[bytes]) -> list[bytes]:
    together = b"".join(written)
    plain = together.isascii() and b"\\u00" not in together
    return written if plain else [as_java(one) for one in written]


def objects_encoder(columns: Sequence[Column]) -> EncodeMany:
    """Writes many rows as objects; None where one of them cannot be written so. Where rows repeat themselves, as those do that
    have lost the number of their event, each different one is written once."""
    scope: dict[str, Any] = {"dumps": orjson.dumps, "trimmed": trimmed}
    names = [f"v{index}" for index in range(len(columns))]
    parts = []
    for index, column in enumerate(columns):
        scope[f"k{index}"] = column.name
        convert = scope[f"c{index}"] = converter(column.type)
        parts.append(f"k{index}: " + (f"c{index}(v{index})" if convert else f"v{index}"))
    text = f"lambda rows: [trimmed(dumps({{{', '.join(parts)}}})) for {', '.join(names)}, in rows]"
    write: Callable[[Iterable[Sequence[Any]]], list[bytes]] = eval(text, scope)  # noqa: S307 - made from numbers only
    # 0.0 equals -0.0, but is not written so; arrays have no hash
    repeatable = all(column.type.base in _PLAIN for column in columns)

    def encode(lists: Sequence[Sequence[Any]]) -> list[bytes] | None:
        try:
            rows = list(zip(*lists, strict=True))
            if not repeatable or len(set(rows[:_SAMPLE])) > _SAMPLE // 2:
                return _all_as_java(write(rows))
            different = dict.fromkeys(rows)
            texts = dict(zip(different, _all_as_java(write(different)), strict=True))
        except (ValueError, TypeError):
            return None
        return [texts[row] for row in rows]

    return encode


def bare_encoder(column: Column) -> Encode:
    """Writes a single value without an object; NULL is no bytes at all."""
    convert = converter(column.type)

    def encode(row: Sequence[Any]) -> bytes | None:
        value = row[0]
        return None if value is None else _dump(convert(value) if convert else value)

    return encode
