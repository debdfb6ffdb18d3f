"""Entities of ``/ksql``: one ``@type``d answer per statement, and the descriptions of DESCRIBE, EXPLAIN and the EXTENDED lists."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from secrets import randbits
from typing import Any

from services.ksql.engine.query import Query
from services.ksql.functions.java_time import Moment, formatter
from services.ksql.functions.registry import Listed, list_functions
from services.ksql.model.commands import DescribeAll, DescribeFunction, DescribeSource, Explain
from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import DataSource, Schema, SourceKind, TopicInfo
from services.ksql.model.types import BaseType, SqlType
from services.ksql.rest.errors import generic_error, statement_error
from services.ksql.rest.execution_plan import execution_plan
from services.ksql.runtime.command_runner import CommandStatus, Executed
from services.ksql.runtime.core import Core
from services.ksql.runtime.query_task import PersistentTask, QuerySpec

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
    if sql_type.base is BaseType.DECIMAL:
        parameters = {"precision": sql_type.precision, "scale": sql_type.scale}
        return {"type": "DECIMAL", "parameters": parameters, "fields": None, "memberSchema": None}
    member_schema = type_info(sql_type.element) if sql_type.element else None
    return {"type": sql_type.base.value, "fields": None, "memberSchema": member_schema}


_DEPRECATED = (
    "The {0} field is deprecated and will be removed in a future version of ksql. Please update your client to the latest "
    "version and use {0}Map instead.\n"
)
_ISO = formatter("yyyy-MM-dd'T'HH:mm:ss.SSSX")


class Describer:
    """Reads the state of one core; ``host`` is how this server names itself."""

    def __init__(self, core: Core, host: str) -> None:
        self._core = core
        self._host = host

    def state(self, query_id: str) -> str:
        """RUNNING, PAUSED or ERROR."""
        running = self._core.query_manager.queries.get(query_id)
        if running is not None:
            return running.state.value
        spec = self._core.command_runner.specs.get(query_id)
        if query_id in self._core.query_manager.broken:
            return "ERROR"
        return "PAUSED" if spec is not None and spec.paused else "RUNNING"

    def query(self, spec: QuerySpec) -> Entity:
        """An entry of SHOW QUERIES, and of DESCRIBE's lists. Only the counts tell that a query is paused."""
        state = self.state(spec.id)
        return {
            "queryString": spec.statement,
            "sinks": [spec.sink.name],
            "sinkKafkaTopics": [spec.sink.topic],
            "id": spec.id,
            "statusCount": {state: 1},
            "queryType": "PERSISTENT",
            "state": _running_too(state),
        }

    def queries(self) -> list[Entity]:
        """All persistent queries."""
        return [self.query(spec) for spec in self._core.command_runner.specs.values()]

    def source(self, source: DataSource, topic: TopicInfo | None, *, extended: bool) -> Entity:
        """DESCRIBE; offsets of the readers are left to ``offset_summaries``."""
        catalog, specs = self._core.command_runner.catalog, self._core.command_runner.specs
        readers = [specs[q.id] for q in catalog.readers(source.name) if q.id in specs]
        writers = [specs[q.id] for q in catalog.writers(source.name) if q.id in specs]
        statistics, errors = self._statistics(source, readers, writers)
        last = self._last_message(readers, writers)
        return {
            "name": source.name,
            "windowType": source.window.type.value if source.window else None,
            "readQueries": [self.query(spec) for spec in readers],
            "writeQueries": [self.query(spec) for spec in writers],
            "fields": fields(source.schema),
            "type": source.kind.value,
            "timestamp": source.timestamp.name if source.timestamp else "",
            "statistics": _deprecated("statistics", statistics) + last if extended and statistics else "",
            "errorStats": _deprecated("errorStats", errors) if extended and errors else "",
            "extended": extended,
            "keyFormat": source.key_format.name,
            "valueFormat": source.value_format.name,
            "topic": source.topic,
            "partitions": topic.partitions if topic else 0,
            "replication": topic.replicas if topic else 0,
            "statement": source.sql,
            "queryOffsetSummaries": [self.offsets(spec) for spec in writers] if extended else [],
            "sourceConstraints": catalog.dependents(source.name),
            "clusterStatistics": statistics,
            "clusterErrorStats": errors,
        }

    def offsets(self, spec: QuerySpec) -> Entity:
        """Positions and ends of a query's inputs."""
        running = self._core.query_manager.queries.get(spec.id)
        topics: dict[str, list[Entity]] = {}
        for tp, progress in running.progress.items() if running else ():
            offset = {
                "partition": tp.partition,
                "logStartOffset": 0,
                "logEndOffset": max(progress.end, progress.position),
                "consumerOffset": progress.position,
            }
            topics.setdefault(tp.topic, []).append(offset)
        return {
            "groupId": self._group(spec.id),
            "topicSummaries": [{"kafkaTopic": topic, "offsets": offsets} for topic, offsets in topics.items()],
        }

    def explained(self, spec: QuerySpec) -> Entity:
        """EXPLAIN of a running query."""
        running = self._core.query_manager.queries.get(spec.id)
        error = running.error if running else self._core.query_manager.broken.get(spec.id)
        state = _running_too(self.state(spec.id))
        return {
            "id": spec.id,
            "statementText": spec.statement,
            **self._plan(spec.plan),
            "sinks": [spec.sink.name],
            "topology": running.query.describe() if running else "",
            "executionPlan": execution_plan(spec.plan, spec.id),
            "overriddenProperties": dict(spec.properties),
            "ksqlHostQueryStatus": {self._host: state},
            "queryType": "PERSISTENT",
            "queryErrors": [{"timestamp": _now_ms(), "errorMessage": error, "type": "SYSTEM"}] if error else [],
            "tasksMetadata": [_task(running)] if running else [],
            "consumerGroupId": self._group(spec.id),
            "state": state,
        }

    def explained_plan(self, query_id: str, statement: str, plan: QueryPlan, topology: str) -> Entity:
        """EXPLAIN of a statement that does not run."""
        return {
            "id": query_id,
            "statementText": statement,
            **self._plan(plan),
            "sinks": [plan.sink.name] if plan.sink else [],
            "topology": topology,
            "executionPlan": execution_plan(plan, query_id),
            "overriddenProperties": {},
            "ksqlHostQueryStatus": {},
            "queryType": "PERSISTENT" if plan.sink else "PUSH",
            "queryErrors": [],
            "tasksMetadata": [],
            "consumerGroupId": self._group(query_id),
            "state": None,
        }

    def _plan(self, plan: QueryPlan) -> Entity:
        window = plan.sink.window if plan.sink else plan.root.window
        schema = plan.sink.schema if plan.sink else plan.root.schema
        return {
            "windowType": window.type.value if window else None,
            "fields": fields(schema),
            "sources": [source.name for source in plan.sources],
        }

    def _group(self, query_id: str) -> str:
        return f"_pagepulse-ksql-{self._core.options.service_id}query_{query_id}"

    def _last_message(self, readers: Iterable[QuerySpec], writers: Iterable[QuerySpec]) -> str:
        """When a reader last consumed, or a writer last produced, as the end of the statistics' text."""
        queries = self._core.query_manager.queries
        times = [queries[spec.id].meter.last_consumed_ms for spec in readers if spec.id in queries]
        times += [queries[spec.id].meter.last_produced_ms for spec in writers if spec.id in queries]
        last = max(times, default=0)
        return f"     last-message: {_ISO.format(Moment.at_millis(last))}" if last else ""

    def _statistics(
        self, source: DataSource, readers: Iterable[QuerySpec], writers: Iterable[QuerySpec]
    ) -> tuple[list[Entity], list[Entity]]:
        """Counters of the source: what its readers consumed and dropped, what its writers produced."""
        queries = self._core.query_manager.queries
        reading = [queries[spec.id] for spec in readers if spec.id in queries]
        writing = [queries[spec.id] for spec in writers if spec.id in queries]
        now = _now_ms()

        def stat(name: str, value: float) -> Entity:
            return {"name": name, "host": self._host, "value": float(value), "timestamp": now}

        statistics, errors = [], []
        if reading:
            topic = source.topic
            statistics += [
                stat("consumer-total-messages", sum(q.meter.consumed.get(topic, 0) for q in reading)),
                stat("consumer-total-bytes", sum(q.meter.consumed_bytes.get(topic, 0) for q in reading)),
            ]
            dropped: dict[str, int] = {}
            for query in reading:
                for cause, count in query.dropped().items():
                    dropped[f"{query.id}-dropped-{cause}"] = count
            failed = sum(dropped.values())
            if failed:
                errors.append(stat("consumer-failed-messages", failed))
                errors += [stat(name, count) for name, count in sorted(dropped.items())]
        if writing:
            statistics.append(stat("total-messages", sum(q.meter.produced for q in writing)))
        return statistics, errors


def _running_too(state: str) -> str:
    """The state of a query as ksqlDB words it: to its Streams application, a paused one runs."""
    return "RUNNING" if state == "PAUSED" else state


def _task(running: PersistentTask) -> Entity:
    committed = running.committed
    return {
        "taskId": "0_0",
        "topicOffsets": [
            {
                "topicPartitionEntity": {"topic": tp.topic, "partition": tp.partition},
                "endOffset": max(progress.end, progress.position),
                "committedOffset": committed[tp],
            }
            for tp, progress in running.progress.items()
        ],
        "timeCurrentIdlingStarted": None,
    }


def _deprecated(name: str, entries: list[dict[str, Any]]) -> str:
    text = "".join(f"{entry['name']}: {entry['value']:.0f} ".rjust(24) for entry in entries)
    return _DEPRECATED.format(name) + text.rstrip()


def _now_ms() -> int:
    return int(time.time() * 1000)


_EXPLAIN = re.compile(r"\s*EXPLAIN\s+", re.IGNORECASE)


class DescribeStatements:
    """Answers from the state of one core."""

    def __init__(self, core: Core, host: str) -> None:
        self._core = core
        self._describer = Describer(core, host)

    async def answer(self, text: str, command: DescribeSource | DescribeAll | DescribeFunction | Explain) -> Entity:
        """The entity for one statement.

        Raises:
            RestError: there is no such function.
        """
        match command:
            case DescribeSource(source=source, extended=extended):
                topic = await self._core.broker.topic(source.topic)
                described = self._describer.source(source, topic, extended=extended)
                return entity("sourceDescription", text, sourceDescription=described)
            case DescribeAll(kind=kind, extended=extended):
                return await self.all(text, kind, extended=extended)
            case DescribeFunction(name=name):
                return _function(text, name)
            case Explain():
                return entity("queryDescription", text, queryDescription=self._explain(text, command))

    async def all(self, text: str, kind: SourceKind, *, extended: bool) -> Entity:
        """Descriptions of all streams or all tables."""
        described = [
            self._describer.source(source, await self._core.broker.topic(source.topic), extended=extended)
            for source in self._core.command_runner.catalog.sources()
            if source.kind is kind
        ]
        return entity("source_descriptions", text, sourceDescriptions=described)

    def queries(self) -> list[Entity]:
        """SHOW QUERIES."""
        return self._describer.queries()

    def all_queries(self, text: str) -> Entity:
        """SHOW QUERIES EXTENDED."""
        described = [self._describer.explained(spec) for spec in self._core.command_runner.specs.values()]
        return entity("queryDescriptions", text, queryDescriptions=described)

    def _explain(self, text: str, command: Explain) -> Entity:
        if command.query_id is not None:
            return self._describer.explained(self._core.command_runner.specs[command.query_id])
        if not isinstance(command.plan, QueryPlan):
            raise statement_error("The provided statement does not run a ksql query", text)
        first = command.plan.sources[0].name
        query_id = f"transient_{first}_{randbits(63)}"
        topology = Query(command.plan).describe()
        return self._describer.explained_plan(query_id, _EXPLAIN.sub("", text), command.plan, topology)


def _function(text: str, name: str) -> Entity:
    found = next((f for f in list_functions() if f.name == name.upper()), None)
    if found is None:
        raise generic_error(f"Can't find any functions with the name '{name}'")
    return entity(
        "describe_function",
        text,
        name=found.name,
        description=found.description,
        author="PagePulse",
        version="",
        path="internal",
        functions=[_signature(found, parameters, returns) for parameters, returns in found.signatures],
        type=found.type,
    )


def _signature(function: Listed, parameters: object, returns: str) -> Entity:
    arguments = [
        {"name": p.name, "type": p.type, "description": "", "isVariadic": p.is_variadic}
        for p in parameters  # type: ignore[attr-defined]
    ]
    return {
        "arguments": arguments,
        "returnType": returns,
        "description": function.description,
        "argumentTypes": [a["type"] for a in arguments],
    }
