"""The WITH clause: which properties there are, what they may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.ksql.errors import KsqlError
from services.ksql.functions.numbers import parse_whole
from services.ksql.model.schema import KeyWindow, WindowType
from services.ksql.sql import ast
from services.ksql.sql.tokens import words

_ANYWHERE = words(
    """CLEANUP_POLICY FORMAT KAFKA_TOPIC KEY_DELIMITER KEY_FORMAT PARTITIONS REPLICAS RETENTION_MS TIMESTAMP TIMESTAMP_FORMAT
    VALUE_DELIMITER VALUE_FORMAT WRAP_SINGLE_VALUE"""
)
_CREATE_ONLY = frozenset({"WINDOW_TYPE", "WINDOW_SIZE", "SOURCED_BY_CONNECTOR"})
_SCHEMA_REGISTRY = words(
    """KEY_SCHEMA_ID VALUE_SCHEMA_ID KEY_SCHEMA_FULL_NAME VALUE_SCHEMA_FULL_NAME VALUE_AVRO_SCHEMA_FULL_NAME
    KEY_PROTOBUF_NULLABLE_REPRESENTATION VALUE_PROTOBUF_NULLABLE_REPRESENTATION"""
)
_RESERVED_QUERY_IDS = ("INSERTQUERY_", "CTAS_", "CSAS_", "CST_")
_QUERY_ID = re.compile("[A-Z0-9_]+")
_DELIMITER_NAMES = {"TAB": "\t", "SPACE": " "}
_WINDOW_SIZE = re.compile(r"\s*(\d+)\s+([A-Za-z]+)\s*")


@dataclass(frozen=True, slots=True)
class WithClause:
    """A checked WITH clause; None where a property is not given."""

    topic: str | None = None
    key_format: str | None = None
    value_format: str | None = None
    key_delimiter: str | None = None
    value_delimiter: str | None = None
    partitions: int | None = None
    replicas: int | None = None
    retention_ms: int | None = None
    timestamp: str | None = None
    timestamp_format: str | None = None
    wrap_single_value: bool | None = None
    window: KeyWindow | None = None


def chosen_query_id(properties: ast.Properties) -> str | None:
    """The QUERY_ID of an INSERT INTO's WITH clause, in upper case; None if there is none.

    Raises:
        KsqlError: another property, or a name that a query cannot have.
    """
    values = _once(properties)
    unknown = [name for name in values if name != "QUERY_ID"]
    if unknown:
        raise _prepare(f"Invalid config variable(s) in the WITH clause: {','.join(unknown)}")
    name = _text(values, "QUERY_ID")
    if name is None:
        return None
    upper = name.upper()
    if upper.startswith(_RESERVED_QUERY_IDS):
        prefixes = ", ".join(_RESERVED_QUERY_IDS)
        raise KsqlError(f"Query IDs must not start with a reserved query ID prefix ({prefixes}). Got '{upper}'.")
    if not _QUERY_ID.fullmatch(upper):
        raise KsqlError(f"Query IDs may contain only alphanumeric characters and '_'. Got: '{upper}'")
    return upper


def read_with_clause(properties: ast.Properties, *, create_as: bool) -> WithClause:
    """The WITH clause of CREATE STREAM/TABLE, or with ``create_as`` of CREATE ... AS SELECT.

    Raises:
        KsqlError: an unknown property, or a value that it cannot have.
    """
    values = _by_name(properties, create_as)
    both = _text(values, "FORMAT")
    for name in ("KEY_FORMAT", "VALUE_FORMAT"):
        if both is not None and name in values:
            raise KsqlError(
                f"Cannot supply both '{name}' and 'FORMAT' properties, as 'FORMAT' sets both key and value formats. "
                "Either use just 'FORMAT', or use 'KEY_FORMAT' and 'VALUE_FORMAT'."
            )
    if not create_as and "KAFKA_TOPIC" not in values:
        raise _prepare('Missing required property "KAFKA_TOPIC" which has no default value.')
    return WithClause(
        topic=_text(values, "KAFKA_TOPIC"),
        key_format=both or _text(values, "KEY_FORMAT"),
        value_format=both or _text(values, "VALUE_FORMAT"),
        key_delimiter=_delimiter(values, "KEY_DELIMITER"),
        value_delimiter=_delimiter(values, "VALUE_DELIMITER"),
        partitions=_number(values, "PARTITIONS"),
        replicas=_number(values, "REPLICAS"),
        retention_ms=_number(values, "RETENTION_MS"),
        timestamp=_column(values, "TIMESTAMP"),
        timestamp_format=_text(values, "TIMESTAMP_FORMAT"),
        wrap_single_value=_flag(values, "WRAP_SINGLE_VALUE"),
        window=_window(values),
    )


def with_properties(properties: ast.Properties, more: Mapping[str, str | int]) -> ast.Properties:
    """``properties`` with those of ``more`` that are not there yet; used to show what was filled in."""
    given = {name for name, _ in properties}
    added = tuple(
        (
            name,
            ast.Literal(
                value, "string" if isinstance(value, str) else "integer", "" if isinstance(value, str) else str(value)
            ),
        )
        for name, value in more.items()
        if name not in given
    )
    return properties + added


def _prepare(reason: str) -> KsqlError:
    return KsqlError(f"Failed to prepare statement: {reason}")


def _once(properties: ast.Properties) -> dict[str, ast.Literal]:
    values: dict[str, ast.Literal] = {}
    for name, value in properties:
        upper = name.upper()
        if upper in values:
            raise _prepare(f"Duplicate property in WITH clause: {upper}")
        values[upper] = value
    return values


def _by_name(properties: ast.Properties, create_as: bool) -> dict[str, ast.Literal]:
    values = _once(properties)
    known = _ANYWHERE | _SCHEMA_REGISTRY | (frozenset() if create_as else _CREATE_ONLY)
    unknown = [name for name in values if name not in known]
    if unknown:
        raise _prepare(f"Invalid config variable(s) in the WITH clause: {','.join(unknown)}")
    refused = [name for name in values if name in _SCHEMA_REGISTRY]
    if refused:
        raise KsqlError(f"The property {refused[0]} needs a schema registry, which this server does not have.")
    return values


def _text(values: Mapping[str, ast.Literal], name: str) -> str | None:
    literal = values.get(name)
    return None if literal is None or literal.value is None else str(literal.value)


def _number(values: Mapping[str, ast.Literal], name: str) -> int | None:
    text = _text(values, name)
    if text is None:
        return None
    try:
        return parse_whole(text, 64)
    except ValueError:
        raise _prepare(f"Invalid value {text} for configuration {name}: Not a number of type INT") from None


def _flag(values: Mapping[str, ast.Literal], name: str) -> bool | None:
    text = _text(values, name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise _prepare(f"Invalid value {text} for configuration {name}: Expected value to be either true or false")
    return text.lower() == "true"


def _column(values: Mapping[str, ast.Literal], name: str) -> str | None:
    text = _text(values, name)
    if text is None:
        return None
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in '`"'
    return text[1:-1] if quoted else text.upper()


def _delimiter(values: Mapping[str, ast.Literal], name: str) -> str | None:
    text = _text(values, name)
    if text is None:
        return None
    if not text.strip():
        raise _prepare(
            f"Configuration {name} is invalid: Delimiter cannot be empty, if you meant to have a tab or space for delimiter, "
            "please use the special values 'TAB' or 'SPACE'\nExample valid value: ';'"
        )
    if text.upper() in _DELIMITER_NAMES:
        return _DELIMITER_NAMES[text.upper()]
    if len(text) != 1:
        raise _prepare(
            f"Configuration {name} is invalid: Invalid delimiter value: '{text}'. Delimiter must be a single character or "
            "TAB,SPACE\nExample valid value: ';'"
        )
    return text


def _window(values: Mapping[str, ast.Literal]) -> KeyWindow | None:
    kind, size = _text(values, "WINDOW_TYPE"), _text(values, "WINDOW_SIZE")
    if kind is None:
        if size is not None:
            raise _prepare("'WINDOW_SIZE' should not be set for non-windowed sources.")
        return None
    try:
        window_type = WindowType(kind.upper())
    except ValueError:
        raise _prepare(
            f"Configuration WINDOW_TYPE is invalid: Unknown window type: '{kind}'. Valid values are: SESSION, HOPPING, TUMBLING"
        ) from None
    if window_type is WindowType.SESSION:
        if size is not None:
            raise _prepare("'WINDOW_SIZE' should not be set for 'SESSION' windows.")
        return KeyWindow(window_type)
    if size is None:
        raise _prepare(
            f"'{window_type}' windows require 'WINDOW_SIZE' to be provided in the WITH clause. "
            "For example: 'WINDOW_SIZE'='10 SECONDS'"
        )
    return KeyWindow(window_type, _duration_ms(size))


def _duration_ms(text: str) -> int:
    match = _WINDOW_SIZE.fullmatch(text)
    unit = "" if match is None else match[2].upper()
    unit = unit if unit.endswith("S") else unit + "S"
    if match is None or unit not in ast.UNIT_MS:
        raise _prepare(f"Configuration WINDOW_SIZE is invalid: Invalid duration: '{text}'")
    return int(match[1]) * ast.UNIT_MS[unit]
