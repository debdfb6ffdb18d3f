"""JSON as the real server writes it: no spaces, doubles as Java's, characters beyond U+FFFF as escapes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from services.ksql.functions.numbers import java_double
from services.ksql.model.schema import Column
from services.ksql.model.types import BaseType, SqlType
from shared.json import trimmed

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


def converter(kind: SqlType) -> Callable[[Any], Any] | None:
    """What makes a value of ``kind`` ready for orjson; None where it is already."""
    if kind.base in _PLAIN:
        return None
    if kind.base is BaseType.DOUBLE:
        return _double
    if kind.base is BaseType.BYTES:
        return _binary
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
