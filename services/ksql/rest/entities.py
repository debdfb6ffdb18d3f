"""The answers of ``/ksql``: one ``@type``d entity per statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.ksql.model.schema import DataSource, Schema, SourceKind
from services.ksql.model.types import BaseType, SqlType
from services.ksql.runtime.broker import TopicInfo
from services.ksql.runtime.command_runner import CommandStatus, Executed

Entity = dict[str, Any]


def entity(type_: str, statement: str, **content: Any) -> Entity:
    """An entity with the members that all have."""
    return {"@type": type_, "statementText": statement, **content, "warnings": []}


def current_status(statement: str, executed: Executed) -> Entity:
    """The answer to a statement that went through the command log."""
    return entity(
        "currentStatus",
        statement,
        commandId=executed.command_id,
        commandStatus=command_status(executed.status),
        commandSequenceNumber=executed.sequence,
    )


def command_status(status: CommandStatus) -> Entity:
    return {"status": status.status, "message": status.message, "queryId": status.query_id}


def warning(statement: str, message: str) -> Entity:
    return entity("warning_entity", statement, message=message)


def listed_source(source: DataSource) -> Entity:
    """An entry of SHOW STREAMS or TABLES."""
    return {
        "type": source.kind.value,
        "name": source.name,
        "topic": source.topic,
        "keyFormat": source.key_format.name,
        "valueFormat": source.value_format.name,
        "isWindowed": source.window is not None,
    }


def listed_sources(statement: str, kind: SourceKind, sources: Iterable[DataSource]) -> Entity:
    name = f"{kind.lower()}s"
    return entity(name, statement, **{name: [listed_source(source) for source in sources if source.kind is kind]})


def listed_topics(statement: str, topics: Iterable[TopicInfo]) -> Entity:
    listed = [{"name": t.name, "replicaInfo": [t.replicas] * t.partitions} for t in topics]
    return entity("kafka_topics", statement, topics=listed)


def listed_topics_extended(statement: str, topics: Iterable[TopicInfo], readers: Mapping[str, int]) -> Entity:
    listed = [
        {
            "name": t.name,
            "replicaInfo": [t.replicas] * t.partitions,
            "consumerCount": readers.get(t.name, 0) * t.partitions,
            "consumerGroupCount": readers.get(t.name, 0),
        }
        for t in topics
    ]
    return entity("kafka_topics_extended", statement, topics=listed)


def fields(schema: Schema) -> list[Entity]:
    """The columns of a schema as DESCRIBE lists them; key columns are marked."""
    keys = [{"name": c.name, "schema": type_info(c.type), "type": "KEY"} for c in schema.key]
    return keys + [
        {"name": c.name, "schema": type_info(c.type)} | ({"type": "HEADER"} if c.header is not None else {})
        for c in schema.value
    ]


def type_info(sql_type: SqlType) -> Entity:
    if sql_type.base is BaseType.STRUCT:
        members = [{"name": name, "schema": type_info(member)} for name, member in sql_type.fields]
        return {"type": "STRUCT", "fields": members, "memberSchema": None}
    member_schema = type_info(sql_type.element) if sql_type.element else None
    return {"type": sql_type.base.value, "fields": None, "memberSchema": member_schema}
