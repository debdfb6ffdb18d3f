"""JSON values as SQL values: numbers are lenient, texts are not, anything becomes a VARCHAR.

Numbers with a fraction or an exponent are Decimals here, so that a VARCHAR keeps their digits (12.50) and a BIGINT is exact. A text is
what UTF-8 can carry: half of a surrogate pair, which JSON can spell, is read as the question mark that it would be written as.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from services.ksql.functions.exact_json import dumps
from services.ksql.functions.numbers import parse_double, parse_whole, whole_of, wrap_int, wrap_long
from services.ksql.model.types import BaseType, SqlType
from services.ksql.serde.base import DecodeError

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
