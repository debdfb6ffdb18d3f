"""Which format carries which schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.ksql.errors import KsqlError
from services.ksql.model.schema import Column, Format, Schema
from services.ksql.model.types import BaseType
from services.ksql.sql.format import backtick

_SUPPORTED = ("JSON", "KAFKA", "DELIMITED", "NONE")
_OUT_OF_SCOPE = ("AVRO", "PROTOBUF", "PROTOBUF_NOSR", "JSON_SR")
_KAFKA_TYPES = {BaseType.INTEGER, BaseType.BIGINT, BaseType.DOUBLE, BaseType.STRING, BaseType.BYTES}
_NESTED = {BaseType.ARRAY, BaseType.STRUCT}

DEFAULT_KEY_FORMAT = "ksql.persistence.default.format.key"
DEFAULT_VALUE_FORMAT = "ksql.persistence.default.format.value"
WRAP_SINGLE_VALUES = "ksql.persistence.wrap.single.values"


def format_name(name: str) -> str:
    """The name of a format that this server has."""
    upper = name.upper()
    if upper in _OUT_OF_SCOPE:
        raise KsqlError(f"The '{upper}' format is not supported by this server.")
    if upper not in _SUPPORTED:
        raise KsqlError(f"Unknown format: {name}")
    return upper


def default_key_format(properties: Mapping[str, str]) -> str:
    return properties.get(DEFAULT_KEY_FORMAT, "KAFKA")


def default_value_format(properties: Mapping[str, str]) -> str:
    found = properties.get(DEFAULT_VALUE_FORMAT)
    if found is None:
        raise KsqlError(
            "Statement is missing the 'VALUE_FORMAT' property from the WITH clause. Either provide one or set a default via "
            f"the '{DEFAULT_VALUE_FORMAT}' config."
        )
    return found


def value_format(
    name: str, delimiter: str | None, wrap: bool | None, columns: Sequence[Column], properties: Mapping[str, str]
) -> Format:
    """The value format of a source: the name checked, wrapping decided.

    Raises:
        KsqlError: wrapping asked for where the format or the schema has none.
    """
    checked = format_name(name)
    if wrap is not None:
        if len(columns) != 1:
            raise KsqlError("'WRAP_SINGLE_VALUE' is only valid for single-field value schemas")
        if checked == "NONE" or (wrap and checked != "JSON"):
            raise KsqlError(f"Format '{checked}' does not support 'WRAP_SINGLE_VALUE' set to '{str(wrap).lower()}'.")
    elif checked == "JSON" and len(columns) == 1 and str(properties.get(WRAP_SINGLE_VALUES, "true")).lower() == "false":
        wrap = False
    return Format(checked, _delimiter(checked, delimiter), wrap)


def key_format(name: str, delimiter: str | None) -> Format:
    checked = format_name(name)
    return Format(checked, _delimiter(checked, delimiter))


def _delimiter(name: str, delimiter: str | None) -> str:
    if delimiter is not None and name != "DELIMITED":
        raise KsqlError(f"{name} does not support the following configs: [delimiter]")
    return delimiter or ","


def check_formats(schema: Schema, key: Format, value: Format) -> None:
    """Refuse a schema that a format cannot carry."""
    _check("Key", key, schema.key, " KEY")
    _check("Value", value, tuple(column for column in schema.value if column.header is None), "")


def _check(which: str, used: Format, columns: Sequence[Column], suffix: str) -> None:
    shown = ", ".join(f"{backtick(column.name)} {column.type}{suffix}" for column in columns)
    reason = _reason(used.name, columns, shown, is_key=bool(suffix))
    if reason:
        features = "" if used.wrap_single is None else ("WRAP_SINGLES" if used.wrap_single else "UNWRAP_SINGLES")
        raise KsqlError(
            f"{which} format does not support schema.\nformat: {used.name}\n"
            f"schema: Persistence{{columns=[{shown}], features=[{features}]}}\nreason: {reason}"
        )


def _reason(name: str, columns: Sequence[Column], shown: str, *, is_key: bool) -> str | None:
    match name:
        case "NONE":
            return (
                f"The 'NONE' format can only be used when no columns are defined. Got: [{shown}]" if columns else None
            )
        case "KAFKA":
            if len(columns) > 1:
                return f"The 'KAFKA' format only supports a single field. Got: [{shown}]"
            bad = next((column for column in columns if column.type.base not in _KAFKA_TYPES), None)
            return None if bad is None else f"The 'KAFKA' format does not support type '{bad.type.base}'"
        case "DELIMITED":
            bad = next((column for column in columns if column.type.base in _NESTED), None)
            if bad is not None:
                return f"The 'DELIMITED' format does not support type '{bad.type.base}', column: {backtick(bad.name)}"
    return None
