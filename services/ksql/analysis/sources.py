"""CREATE STREAM, CREATE TABLE and the sinks of CREATE ... AS SELECT to data sources: schema, formats, topic, timestamp.

A sink takes from its WITH clause or else from the leftmost source of its query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from services.ksql.analysis.names import SYSTEM_COLUMNS, Names
from services.ksql.analysis.properties import WithClause, read_with_clause
from services.ksql.errors import KsqlError
from services.ksql.model.plan import ProjectStep
from services.ksql.model.schema import Column, DataSource, Format, Schema, SourceKind, TimestampColumn
from services.ksql.model.types import (
    BIGINT,
    BYTES,
    STRING,
    TIMESTAMP,
    BaseType,
    SqlType,
    array_of,
    contains,
    nested,
    struct_of,
)
from services.ksql.sql import ast
from services.ksql.sql.format import backtick

_SUPPORTED = ("JSON", "KAFKA", "DELIMITED", "NONE")
_OUT_OF_SCOPE = ("AVRO", "PROTOBUF", "PROTOBUF_NOSR", "JSON_SR")
_KAFKA_TYPES = {BaseType.INTEGER, BaseType.BIGINT, BaseType.DOUBLE, BaseType.STRING, BaseType.BYTES}
_HEADERS = array_of(struct_of(("KEY", STRING), ("VALUE", BYTES)))

DEFAULT_KEY_FORMAT = "ksql.persistence.default.format.key"
DEFAULT_VALUE_FORMAT = "ksql.persistence.default.format.value"
WRAP_SINGLE_VALUES = "ksql.persistence.wrap.single.values"


def format_name(name: str) -> str:
    """The name of a format that this server has."""
    upper = name.upper()
    if upper in _OUT_OF_SCOPE:
        alternative = "JSON" if upper == "JSON_SR" else "JSON, DELIMITED or KAFKA"
        needs = "compiled message types" if upper == "PROTOBUF_NOSR" else "a Schema Registry"
        raise KsqlError(
            f"The '{upper}' format is not supported by this server: it needs {needs}, which this server does not have. "
            f"Use {alternative}, with the columns in the statement."
        )
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
    for column in schema.key:
        if contains(column.type, BaseType.MAP):
            raise _map_in_key(column.name, column.type)
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
            bad = next((column for column in columns if column.type.is_complex), None)
            if bad is not None:
                return f"The 'DELIMITED' format does not support type '{bad.type.base}', column: {backtick(bad.name)}"
        case "JSON" if any(map(_has_odd_keys, columns)):
            return "JSON only supports MAP types with STRING keys"
    return None


def _has_odd_keys(column: Column) -> bool:
    def odd(kind: SqlType) -> bool:
        return (kind.base is BaseType.MAP and kind.map_key != STRING) or any(map(odd, nested(kind)))

    return odd(column.type)


def build_source(statement: ast.CreateSourceStatement, properties: Mapping[str, str], sql: str) -> DataSource:
    """The source that a CREATE statement describes, all but the catalog considered."""
    clause = read_with_clause(statement.properties, create_as=False)
    schema = _schema(statement, clause)
    key = key_format(clause.key_format or default_key_format(properties), clause.key_delimiter)
    value = value_format(
        clause.value_format or default_value_format(properties),
        clause.value_delimiter,
        clause.wrap_single_value,
        tuple(column for column in schema.value if column.header is None),
        properties,
    )
    if clause.window is not None and not schema.key:
        raise KsqlError("Windowed sources require a key column.")
    check_formats(schema, key, value)
    return DataSource(
        name=statement.name,
        kind=statement.kind,
        schema=schema,
        topic=clause.topic or "",
        key_format=key,
        value_format=value,
        window=clause.window,
        timestamp=timestamp_column(clause, schema),
        sql=sql,
        read_only=statement.read_only,
        partitions=clause.partitions,
        replicas=clause.replicas,
        retention_ms=clause.retention_ms,
        properties={name: str(literal.value) for name, literal in statement.properties},
    )


#: formats whose columns no schema registry could give
_NEVER_INFERRED = {"DELIMITED", "KAFKA"}


def check_column_names(statement: ast.CreateSourceStatement | ast.AlterSourceStatement) -> None:
    """Raises KsqlError for a reserved name of a column, or one that comes twice."""
    for column in statement.columns:
        if column.name in SYSTEM_COLUMNS:
            where = column.location
            raise KsqlError(
                f"Failed to prepare statement: Line: {where.line}, Col: {where.column}: "
                f"'{column.name}' is a reserved column name. You cannot use it as a name for a column."
            )
    doubles = [name for name, count in Counter(column.name for column in statement.columns).items() if count > 1]
    if doubles:
        raise KsqlError(f"Failed to prepare statement: Duplicate column names: {', '.join(map(backtick, doubles))}")


def _schema(statement: ast.CreateSourceStatement, clause: WithClause) -> Schema:
    if not statement.columns:
        if (clause.value_format or "").upper() in _NEVER_INFERRED:
            raise KsqlError("No columns supplied.")
        raise KsqlError("The statement does not define any columns.")
    for column in statement.columns:
        if column.constraint == "HEADERS" and column.type != _HEADERS:
            raise KsqlError(f"Invalid type for HEADERS column: expected {_HEADERS}, got {column.type}")
        if column.constraint == "HEADER" and column.type != BYTES:
            raise KsqlError(f"Invalid type for HEADER('{column.header}') column: expected BYTES, got {column.type}")
    is_key = {"KEY", "PRIMARY KEY"}
    keys = tuple(Column(c.name, c.type) for c in statement.columns if c.constraint in is_key)
    if statement.kind is SourceKind.TABLE and not keys:
        raise KsqlError("Tables require a PRIMARY KEY. Please define the PRIMARY KEY.")
    return Schema(
        keys, tuple(Column(c.name, c.type, c.header) for c in statement.columns if c.constraint not in is_key)
    )


def _map_in_key(name: str, kind: SqlType) -> KsqlError:
    """The error for a MAP in a key: equal ones may be written in different ways."""
    return KsqlError(
        "Map keys, including types that contain maps, are not supported as they may lead to unexpected behavior due to "
        f"inconsistent serialization. Key column name: {backtick(name)}. Column type: {kind}. "
        "See https://github.com/confluentinc/ksql/issues/6621 for more."
    )


def timestamp_column(clause: WithClause, schema: Schema) -> TimestampColumn | None:
    """The column that carries the event time, checked against the schema."""
    if clause.timestamp is None:
        if clause.timestamp_format is not None:
            raise KsqlError("'TIMESTAMP_FORMAT' set without 'TIMESTAMP' property in the WITH clause.")
        return None
    column = schema.find(clause.timestamp)
    if column is None:
        raise _no_timestamp(clause.timestamp)
    if column.type == STRING:
        if clause.timestamp_format is None:
            raise KsqlError(
                f"A String timestamp field has been specified without also specifying the timestamp_format: {column.name}"
            )
    elif column.type not in (BIGINT, TIMESTAMP):
        raise KsqlError(
            f"Timestamp column, {backtick(column.name)}, should be LONG(INT64), TIMESTAMP, or a String with a "
            "timestamp_format specified."
        )
    elif clause.timestamp_format is not None:
        raise KsqlError(f"timestamp_format set, but column, {backtick(column.name)}, is not a String: {column.type}")
    return TimestampColumn(column.name, clause.timestamp_format)


def check_timestamp_selected(statement: ast.CreateAsSelect, selected: Collection[str]) -> None:
    """Raises KsqlError if the SELECT has no column that WITH names as the timestamp; ksqlDB looks at this before the key."""
    timestamp = read_with_clause(statement.properties, create_as=True).timestamp
    if timestamp is not None and timestamp not in selected:
        raise _no_timestamp(timestamp)


def _no_timestamp(name: str) -> KsqlError:
    return KsqlError(f"The TIMESTAMP column set in the WITH clause does not exist in the schema: '{name}'")


TOPIC_PREFIX = "ksql.output.topic.name.prefix"


def build_sink(
    statement: ast.CreateAsSelect,
    root: ProjectStep,
    names: Names,
    *,
    properties: Mapping[str, str],
    sql: str,
    retention_ms: int | None,
) -> DataSource:
    """The sink of ``statement``; the kind is that of the query's result."""
    clause = read_with_clause(statement.properties, create_as=True)
    schema = root.schema
    source = names.first
    key_name = clause.key_format or _inherited_key_format(statement, schema, source, properties)
    value_name = clause.value_format or source.value_format.name
    key = key_format(key_name, clause.key_delimiter or _inherited_delimiter(key_name, source.key_format))
    value = value_format(
        value_name,
        clause.value_delimiter or _inherited_delimiter(value_name, source.value_format),
        clause.wrap_single_value,
        schema.value,
        properties,
    )
    check_formats(schema, key, value)
    return DataSource(
        name=statement.name,
        kind=root.kind,
        schema=schema,
        topic=clause.topic or f"{properties.get(TOPIC_PREFIX, '')}{statement.name}",
        key_format=key,
        value_format=value,
        window=root.window,
        timestamp=timestamp_column(clause, schema),
        sql=sql,
        partitions=clause.partitions,
        replicas=clause.replicas,
        retention_ms=clause.retention_ms if clause.retention_ms is not None else retention_ms,
        properties={name: str(literal.value) for name, literal in statement.properties},
    )


def _inherited_key_format(
    statement: ast.CreateAsSelect, schema: Schema, source: DataSource, properties: Mapping[str, str]
) -> str:
    if not schema.key and statement.query.partition_by:
        return "NONE"
    if schema.key and source.key_format.name == "NONE":
        return default_key_format(properties)
    return source.key_format.name


def _inherited_delimiter(name: str, inherited: Format) -> str | None:
    return inherited.delimiter if name.upper() == inherited.name == "DELIMITED" else None


def check_result_kind(statement: ast.CreateAsSelect, root: ProjectStep, sql: str) -> None:
    """A stream needs CREATE STREAM, a table CREATE TABLE."""
    if root.kind is not statement.kind:
        raise KsqlError(
            f"Invalid result type. Your SELECT query produces a {root.kind}. "
            f"Please use CREATE {root.kind} AS SELECT statement instead.\nStatement: {sql}"
        )
