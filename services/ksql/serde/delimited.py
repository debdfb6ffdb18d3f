"""The DELIMITED format: one line of separated values, quoted as in RFC 4180. An empty field is NULL."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from services.ksql.functions.numbers import decimal_text, exact_decimal, java_double, parse_double, parse_whole
from services.ksql.model.schema import Column
from services.ksql.model.types import BaseType, SqlType
from services.ksql.serde.base import DecodeError

_NAMED = {"SPACE": " ", "TAB": "\t"}


def delimiter_of(name: str) -> str:
    """The character of a VALUE_DELIMITER setting: SPACE and TAB are names."""
    return _NAMED.get(name.upper(), name)


def _whole(bits: int) -> Callable[[str], int]:
    return lambda text: parse_whole(text, bits)


def _boolean(text: str) -> bool:
    return text.lower() == "true"


_PARSERS: dict[BaseType, Callable[[str], Any]] = {
    BaseType.BOOLEAN: _boolean,
    BaseType.INTEGER: _whole(32),
    BaseType.BIGINT: _whole(64),
    BaseType.DOUBLE: parse_double,
    BaseType.STRING: str,
    BaseType.BYTES: lambda text: base64.b64decode(text, validate=True),
    BaseType.DATE: _whole(32),
    BaseType.TIME: _whole(32),
    BaseType.TIMESTAMP: _whole(64),
}


def _parser(kind: SqlType) -> Callable[[str], Any]:
    if kind.base is BaseType.DECIMAL:
        return lambda text: exact_decimal(text, kind.precision, kind.scale)
    return _PARSERS[kind.base]


def split(text: str, delimiter: str) -> list[str]:
    """The fields of the first line of ``text``."""
    if '"' not in text:
        return text.split("\n", 1)[0].rstrip("\r").split(delimiter)
    fields: list[str] = []
    position, end = 0, len(text)
    while True:
        if text[position : position + 1] == '"':
            part, position = _quoted(text, position + 1)
        else:
            stop = text.find(delimiter, position)
            stop = end if stop < 0 else stop
            part, position = text[position:stop], stop
        fields.append(part)
        if position >= end or text[position] != delimiter:
            return fields
        position += 1


def _quoted(text: str, position: int) -> tuple[str, int]:
    parts = []
    while True:
        stop = text.find('"', position)
        if stop < 0:
            raise DecodeError("EOF reached before encapsulated token finished")
        parts.append(text[position:stop])
        if text[stop + 1 : stop + 2] != '"':
            return "".join(parts), stop + 1
        parts.append('"')
        position = stop + 2


def decoder(columns: Sequence[Column], delimiter_name: str) -> Callable[[bytes], tuple[Any, ...]]:
    """Reads lines into tuples; the number of fields must be that of the columns."""
    delimiter = delimiter_of(delimiter_name)
    parsers = [_parser(c.type) for c in columns]

    def decode(data: bytes) -> tuple[Any, ...]:
        fields = split(data.decode("utf-8", "replace"), delimiter)
        if len(fields) != len(parsers):
            raise DecodeError(f"Unexpected field count, csvFields:{len(fields)} schemaFields:{len(parsers)}")
        try:
            return tuple(None if field == "" else parse(field) for field, parse in zip(fields, parsers, strict=True))
        except (ValueError, binascii.Error) as error:
            raise DecodeError(str(error)) from error

    return decode


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _field(value: Any, delimiter: str, *, first: bool) -> str:
    if value is None:
        return ""
    text = _text(value)
    special = any(c in text for c in (delimiter, '"', "\n", "\r"))
    # commons-csv also quotes a text that starts or ends with a blank or the like, and a line that starts with no letter or digit
    odd = text != "" and (
        text[-1] <= " " or text[0] <= "#" or (first and not (text[0].isascii() and text[0].isalnum()))
    )
    if special or odd or (text == "" and first):
        return '"' + text.replace('"', '""') + '"'
    return text


def encoder(columns: Sequence[Column], delimiter_name: str) -> Callable[[Sequence[Any]], bytes | None]:
    """Writes rows (values in the order of ``columns``) as lines."""
    delimiter = delimiter_of(delimiter_name)
    count = len(columns)

    def encode(row: Sequence[Any]) -> bytes | None:
        return delimiter.join(_field(row[i], delimiter, first=i == 0) for i in range(count)).encode(errors="replace")

    return encode
