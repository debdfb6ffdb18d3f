"""Decoders and encoders of all formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.ksql.model.schema import Column, Format
from services.ksql.model.types import in_key
from services.ksql.serde import delimited, json, kafka_format
from services.ksql.serde.json import DecodeMany, EncodeMany

Decode = Callable[[bytes], tuple[Any, ...]]
Encode = Callable[[Sequence[Any]], bytes | None]


def _is_bare(form: Format, columns: Sequence[Column], *, is_key: bool) -> bool:
    return len(columns) == 1 and (is_key or form.wrap_single is False)


def decoder(form: Format, columns: Sequence[Column], *, is_key: bool = False) -> Decode:
    """Reads bytes into a tuple in the order of ``columns``; the function raises DecodeError. Absent bytes are not its business."""
    if is_key and not columns:
        return lambda data: ()
    if is_key and any(column.type.is_complex for column in columns):
        plain = _decoder(form, columns, is_key=True)
        return lambda data: tuple(map(in_key, plain(data)))
    return _decoder(form, columns, is_key=is_key)


def _decoder(form: Format, columns: Sequence[Column], *, is_key: bool) -> Decode:
    match form.name.upper():
        case "JSON":
            if _is_bare(form, columns, is_key=is_key):
                return json.bare_decoder(columns[0])
            return json.object_decoder(columns)
        case "DELIMITED":
            return delimited.decoder(columns, form.delimiter)
        case "KAFKA":
            return kafka_format.decoder(columns)
    nothing = (None,) * len(columns)
    return lambda data: nothing


def many_decoder(form: Format, columns: Sequence[Column], *, is_key: bool = False) -> DecodeMany | None:
    """Reads the bytes of many records at once into columns, or gives None where they must be read one by one, as ``decoder``
    does it. None instead of a function where that is always so."""
    match form.name.upper():
        case "JSON" if columns and not _is_bare(form, columns, is_key=is_key):
            return json.objects_decoder(columns, json.field_names)
        case "KAFKA":
            return kafka_format.many_decoder(columns)
    return None


def encoder(form: Format, columns: Sequence[Column], *, is_key: bool = False, keep_nulls: bool = False) -> Encode:
    """Writes values in the order of ``columns``; None where the record has no key or value.

    A key of NULLs only is no key at all, unless ``keep_nulls`` says that it is one of several columns.
    """
    if not columns:
        return (lambda row: None) if is_key or form.name.upper() == "NONE" else _empty(form)
    match form.name.upper():
        case "JSON":
            if _is_bare(form, columns, is_key=is_key):
                return json.bare_encoder(columns[0])
            write = json.object_encoder(columns)
            return _unless_all_null(write) if is_key and not keep_nulls else write
        case "DELIMITED":
            encode = delimited.encoder(columns, form.delimiter)
            return _unless_all_null(encode) if is_key and not keep_nulls else encode
        case "KAFKA":
            return kafka_format.encoder(columns)
    return lambda row: None


def many_encoder(form: Format, columns: Sequence[Column]) -> EncodeMany | None:
    """Writes the values of many records, given column by column, as ``encoder`` does it; it gives None where one of them must
    be looked at by itself. None instead of a function where that is always so."""
    if columns and form.name.upper() == "JSON" and not _is_bare(form, columns, is_key=False):
        return json.objects_encoder(columns)
    return None


def _empty(form: Format) -> Encode:
    return (lambda row: b"{}") if form.name.upper() == "JSON" else lambda row: b""


def _unless_all_null(encode: Encode) -> Encode:
    return lambda row: None if all(v is None for v in row) else encode(row)
