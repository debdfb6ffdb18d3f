"""JSON values as SQL values: numbers are lenient, texts are not, anything becomes a VARCHAR."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

from services.ksql.functions.numbers import wrap_int, wrap_long
from services.ksql.model.types import BaseType, SqlType
from services.ksql.serde.doubles import java_double
from services.ksql.serde.errors import DecodeError

_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?|[+-]?(NaN|Infinity)")

Coerce = Callable[[Any], Any]


def _kind(value: Any) -> str:
    return {bool: "BooleanNode", str: "TextNode", list: "ArrayNode", dict: "ObjectNode"}.get(type(value), "NumericNode")


def _whole(value: Any, bits: int, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        number = int(value) if _WHOLE.fullmatch(value) else None
        if number is None or not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            raise DecodeError(f"Can't coerce string to type. targetType: {name}")
        return number
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: {name}")
    return wrap_int(int(value)) if bits == 32 else wrap_long(int(value))


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
        if not _DECIMAL.fullmatch(value):
            raise DecodeError("Can't coerce string to type. targetType: DOUBLE")
        return float(value.rstrip("dDfF") if value[-1:] in "dDfF" else value.replace("Infinity", "inf"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: DOUBLE")
    return float(value)


def boolean(value: Any) -> bool | None:
    """true and false only."""
    if value is None or isinstance(value, bool):
        return value
    raise DecodeError(f"Can't convert type. sourceType: {_kind(value)}, requiredType: BOOLEAN")


def varchar(value: Any) -> str | None:
    """Texts as they are; an array is [1, a], an object its JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join("null" if item is None else varchar(item) or "" for item in value) + "]"
    if isinstance(value, float):
        return java_double(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
    if kind.base is BaseType.STRUCT:
        return _struct({name: coercion(field) for name, field in kind.fields})
    return _BY_TYPE[kind.base]
