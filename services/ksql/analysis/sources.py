"""CREATE STREAM and CREATE TABLE to data sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from services.ksql.analysis.formats import (
    check_formats,
    default_key_format,
    default_value_format,
    key_format,
    value_format,
)
from services.ksql.analysis.properties import WithClause, read_with_clause
from services.ksql.analysis.sanitize import SYSTEM_COLUMNS
from services.ksql.errors import KsqlError
from services.ksql.model.schema import Column, DataSource, Schema, SourceKind, TimestampColumn
from services.ksql.model.types import BIGINT, BYTES, STRING, TIMESTAMP
from services.ksql.sql import ast
from services.ksql.sql.format import backtick


def build_source(statement: ast.CreateSource, properties: Mapping[str, str], sql: str) -> DataSource:
    """The source that a CREATE statement describes, all but the catalog considered."""
    clause = read_with_clause(statement.properties, create_as=False)
    schema = _schema(statement)
    key = key_format(clause.key_format or default_key_format(properties), clause.key_delimiter)
    value = value_format(
        clause.value_format or default_value_format(properties),
        clause.value_delimiter,
        clause.wrap_single_value,
        tuple(column for column in schema.value if column.header is None),
        properties,
    )
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


def _schema(statement: ast.CreateSource) -> Schema:
    if not statement.columns:
        raise KsqlError("The statement does not define any columns.")
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
    for column in statement.columns:
        if column.constraint == "HEADERS":
            raise KsqlError("HEADERS columns are not supported by this server, HEADER('key') columns are.")
        if column.constraint == "HEADER" and column.type != BYTES:
            raise KsqlError(f"Invalid type for HEADER('{column.header}') column: expected BYTES, got {column.type}")
    is_key = {"KEY", "PRIMARY KEY"}
    keys = tuple(Column(c.name, c.type) for c in statement.columns if c.constraint in is_key)
    if statement.kind is SourceKind.TABLE and not keys:
        raise KsqlError("Tables require a PRIMARY KEY. Please define the PRIMARY KEY.")
    return Schema(
        keys, tuple(Column(c.name, c.type, c.header) for c in statement.columns if c.constraint not in is_key)
    )


def timestamp_column(clause: WithClause, schema: Schema) -> TimestampColumn | None:
    """The column that carries the event time, checked against the schema."""
    if clause.timestamp is None:
        if clause.timestamp_format is not None:
            raise KsqlError("'TIMESTAMP_FORMAT' set without 'TIMESTAMP' property in the WITH clause.")
        return None
    column = schema.find(clause.timestamp)
    if column is None:
        raise KsqlError(
            f"The TIMESTAMP column set in the WITH clause does not exist in the schema: '{clause.timestamp}'"
        )
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
