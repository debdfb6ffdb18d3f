"""What a CREATE ... AS SELECT writes to: formats, topic and timestamp, from its WITH clause or its leftmost source."""

from __future__ import annotations

from collections.abc import Mapping

from services.ksql.analysis.formats import check_formats, default_key_format, key_format, value_format
from services.ksql.analysis.names import Names
from services.ksql.analysis.properties import read_with_clause
from services.ksql.analysis.sources import timestamp_column
from services.ksql.errors import KsqlError
from services.ksql.model.plan import ProjectStep
from services.ksql.model.schema import DataSource, Format, Schema
from services.ksql.sql import ast

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
        is_query_sink=True,
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
