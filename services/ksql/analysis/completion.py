"""Completes a statement before it is carried out: default formats, the topic's partitions, replicas, retention, clean-up.

ksqlDB logs and shows the completed text, so a restart makes the same thing again whatever the defaults are by then.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog
from services.ksql.analysis.properties import with_properties
from services.ksql.errors import KsqlError, RequestError
from services.ksql.model.commands import Command, NothingToDo
from services.ksql.model.schema import SourceKind, TopicInfo
from services.ksql.sql import ast
from services.ksql.sql.format import format_statement
from services.ksql.sql.parser import ParsedStatement

S = TypeVar("S", ast.CreateSourceStatement, ast.CreateAsSelect)
TopicLookup = Callable[[str], Awaitable[TopicInfo | None]]

_LEGAL_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
#: of one topic: more than anyone means, and few enough for a cluster to survive it
_MOST_PARTITIONS = 10_000
_TOPIC_PREFIX = "ksql.output.topic.name.prefix"


class TopicMismatch(KsqlError):
    """A topic of this name exists with other settings."""

    error_code = 50000


@dataclass(frozen=True, slots=True)
class CompletedStatement:
    """``text`` is what answers show, ``new_topic`` what must be created before ``command`` is carried out."""

    parsed: ParsedStatement
    text: str
    command: Command
    new_topic: TopicInfo | None = None


class StatementCompleter:
    """Completes statements against one catalog. ``topic`` looks a topic up; it may know planned ones too."""

    def __init__(self, catalog: Catalog, topic: TopicLookup, properties: Mapping[str, Any], *, partitions: int) -> None:
        self._catalog = catalog
        self._topic = topic
        self._properties = {str(k).removeprefix("ksql.streams."): str(v) for k, v in properties.items()}
        self._partitions = partitions
        self._analyzer = Analyzer(catalog, self._properties)

    async def complete(self, parsed: ParsedStatement) -> CompletedStatement:
        """Checks and completes one statement.

        Raises:
            KsqlError: with the text that belongs in the answer as ``statement``.
        """
        match parsed.ast:
            case ast.CreateSourceStatement():
                return await self._source(parsed, parsed.ast)
            case ast.CreateAsSelect():
                return await self._sink(parsed, parsed.ast)
            case ast.DropSourceStatement(delete_topic=True):
                text = format_statement(replace(parsed.ast, delete_topic=False))
                return CompletedStatement(parsed, text, self._analyzer.analyze(parsed.ast, parsed.text))
            case _:
                return CompletedStatement(parsed, parsed.text, self._analyzer.analyze(parsed.ast, parsed.text))

    async def _source(self, parsed: ParsedStatement, written: ast.CreateSourceStatement) -> CompletedStatement:
        statement = self._qualified(parsed, written)
        given = dict(statement.properties)
        name = str(given["KAFKA_TOPIC"].value) if "KAFKA_TOPIC" in given else statement.name
        statement = _with(statement, KAFKA_TOPIC=name)
        found = await self._topic(name)
        partitions, replicas, retention = (_number(given, p) for p in ("PARTITIONS", "REPLICAS", "RETENTION_MS"))
        if found is None and partitions is None:
            raise RequestError(
                f"Topic '{name}' does not exist. If you want to create a new topic for the stream/table please re-run "
                "the statement providing the required 'PARTITIONS' configuration in the WITH clause (and optionally "
                f"'REPLICAS'). For example: {format_statement(_with(statement, PARTITIONS=2))}"
            )
        if found is not None:
            _must_fit(found, partitions, replicas, retention, parsed.text)
        policy = "compact" if statement.kind is SourceKind.TABLE else "delete"
        text = format_statement(completed := _with(statement, CLEANUP_POLICY=policy))
        command = self._analyzer.analyze(completed, text)
        _must_be_possible(name, partitions)
        wanted = TopicInfo(name, partitions or 1, replicas or -1, _config(policy, retention))
        return _completed(parsed, text, command, None if found else wanted)

    async def _sink(self, parsed: ParsedStatement, written: ast.CreateAsSelect) -> CompletedStatement:
        statement = self._qualified(parsed, written)
        given = dict(statement.properties)
        prefix = self._properties.get(_TOPIC_PREFIX, "")
        name = str(given["KAFKA_TOPIC"].value) if "KAFKA_TOPIC" in given else prefix + statement.name
        left = self._catalog.find(statement.query.source.name)
        source = await self._topic(left.topic) if left else None
        partitions = _number(given, "PARTITIONS") or (source.partitions if source else self._partitions)
        replicas = _number(given, "REPLICAS") or (source.replicas if source else -1)
        retention = _number(given, "RETENTION_MS")
        if retention is None and source is not None:
            retention = source.retention_ms
        completed = _with(statement, KAFKA_TOPIC=name, PARTITIONS=partitions, REPLICAS=replicas)
        if retention is not None:
            completed = _with(completed, RETENTION_MS=retention)
        window = statement.query.window
        table = statement.kind is SourceKind.TABLE
        policy = "compact,delete" if table and window else "compact" if table else "delete"
        text = format_statement(completed := _with(completed, CLEANUP_POLICY=policy))
        command = self._analyzer.analyze(completed, text)
        kept = retention
        if window is not None and window.retention is not None:
            kept = max(kept or 0, window.retention.milliseconds)
        if policy == "compact":
            kept = None
        found = await self._topic(name)
        if found is not None and not isinstance(command, NothingToDo):
            _must_fit(found, partitions, replicas, kept, parsed.text)
        _must_be_possible(name, partitions)
        wanted = TopicInfo(name, partitions, replicas, _config(policy, kept))
        return _completed(parsed, text, command, None if found else wanted)

    def _qualified(self, parsed: ParsedStatement, written: S) -> S:
        """The statement with names and formats filled in. An error of this stage is shown with the text as it was written."""
        return self._analyzer.qualify(written, parsed.text)  # type: ignore[return-value]  # a statement of the same kind


def _completed(parsed: ParsedStatement, text: str, command: Command, topic: TopicInfo | None) -> CompletedStatement:
    if isinstance(command, NothingToDo):
        return CompletedStatement(parsed, parsed.text, command)
    return CompletedStatement(parsed, text, command, topic)


def _with(statement: S, **properties: str | int) -> S:
    return replace(statement, properties=with_properties(statement.properties, properties))


def _must_be_possible(name: str, partitions: int | None) -> None:
    """Kafka would refuse these too, but only after other statements of the same request were carried out."""
    if _LEGAL_TOPIC.fullmatch(name) is None or name in (".", ".."):
        raise KsqlError(
            f"Invalid topic name: '{name[:249]}'. Letters, digits, '.', '_' and '-' are allowed, at most 249 of them."
        )
    if partitions is not None and not 1 <= partitions <= _MOST_PARTITIONS:
        raise KsqlError(f"Invalid number of partitions for topic '{name}': {partitions}")


def _must_fit(
    found: TopicInfo, partitions: int | None, replicas: int | None, retention: int | None, statement: str
) -> None:
    wanted = (partitions or found.partitions, max(replicas or 0, 0) or found.replicas, found.retention_ms)
    if retention is not None:
        wanted = (*wanted[:2], retention)
    actual = (found.partitions, found.replicas, found.retention_ms)
    if wanted[0] != actual[0] or wanted[1] > actual[1] or wanted[2] != actual[2]:
        raise TopicMismatch(
            f"A Kafka topic with the name '{found.name}' already exists, with different partition/replica/retention "
            f"configuration than required. KSQL expects {wanted[0]} partitions (topic has {actual[0]}), {wanted[1]} "
            f"replication factor (topic has {actual[1]}), and {wanted[2]} retention (topic has {actual[2]}).",
            statement=statement,
        )


def _config(policy: str, retention_ms: int | None) -> dict[str, str]:
    return {"cleanup.policy": policy} | ({} if retention_ms is None else {"retention.ms": str(retention_ms)})


def _number(properties: Mapping[str, ast.Literal], name: str) -> int | None:
    literal = properties.get(name)
    if literal is None:
        return None
    try:
        return int(str(literal.value))
    except ValueError:
        return None
