"""``POST /ksql``: parse all, try all on a copy of the catalog, then carry them out one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.ksql.errors import KsqlError
from services.ksql.functions.registry import list_functions
from services.ksql.model.commands import (
    Command,
    ControlQuery,
    CreateQuery,
    CreateSource,
    DescribeSource,
    DropSource,
    Explain,
    InsertQuery,
    InsertValues,
    NothingToDo,
    PullQuery,
    PushQuery,
)
from services.ksql.model.plain import (
    Define,
    DescribeAll,
    DescribeFunction,
    Print,
    SetProperty,
    Show,
    Undefine,
    UnsetProperty,
)
from services.ksql.model.schema import SourceKind
from services.ksql.prepare import Prepared, Preparer
from services.ksql.rest import properties as props
from services.ksql.rest.describe_statements import DescribeStatements
from services.ksql.rest.entities import (
    Entity,
    current_status,
    entity,
    listed_sources,
    listed_topics,
    listed_topics_extended,
    warning,
)
from services.ksql.rest.errors import (
    CATCH_UP_TIMEOUT,
    NOT_READY,
    SERVER_ERROR,
    from_ksql_error,
    generic_error,
    statement_error,
    wrong_endpoint,
)
from services.ksql.rest.topic_patterns import TopicPattern
from services.ksql.runtime.broker import BrokerError, TopicInfo
from services.ksql.runtime.core import Core
from services.ksql.runtime.inserts import insert_values
from services.ksql.settings import Settings
from services.ksql.sql import ast
from services.ksql.sql.format import quote
from services.ksql.sql.parser import ParsedStatement, parse

#: topics that SHOW TOPICS leaves out: ksqlDB's by default, and those of this server
_HIDDEN = re.compile(
    "_confluent.*|__confluent.*|_schemas|connect-configs|connect-offsets|connect-status|connect-statuses|_pagepulse-ksql-.*"
)
#: Kafka's own, which its clients never list unless they are asked to
_INTERNAL = frozenset({"__consumer_offsets", "__transaction_state"})


class StatementService:
    """Runs on the core's loop."""

    def __init__(self, core: Core, settings: Settings, host: str) -> None:
        self._core = core
        self._settings = settings
        self._describe = DescribeStatements(core, host)

    async def run(
        self,
        text: str,
        properties: Mapping[str, Any],
        *,
        sequence: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> list[Entity]:
        """The entities of all statements of ``text``.

        Raises:
            RestError: the answer to the first statement that cannot be run. If it is found before any of them is carried
                out, none is.
        """
        if not self._core.ready.is_set():
            raise generic_error("Server is not yet ready to serve requests.", NOT_READY)
        props.check_allowed(properties)
        await self._catch_up(sequence)
        try:
            statements = parse(text, {name.upper(): value for name, value in (variables or {}).items()})
        except KsqlError as error:
            raise from_ksql_error(error, text) from error
        if statements:
            props.check(properties, statements[0].text)
        await self._try(statements, properties)
        return await self._carry_out(statements, properties, dict(variables or {}))

    async def terminate_cluster(self, delete_topics: list[str]) -> list[Entity]:
        """Ends all queries and drops all sources, newest first; topics of theirs that match ``delete_topics`` go too.

        Raises:
            RestError: see ``run``.
        """
        patterns = [TopicPattern(text) for text in delete_topics]
        entities = await self.run("TERMINATE ALL;", {})
        for source in reversed(list(self._core.command_runner.catalog.sources())):
            delete = any(pattern.matches(source.topic) for pattern in patterns)
            text = f"DROP {source.kind} {quote(source.name)}{' DELETE TOPIC' if delete else ''};"
            entities += await self.run(text, {})
        return entities

    async def _catch_up(self, sequence: int | None) -> None:
        timeout = self._settings.command_timeout.total_seconds()
        if sequence is not None and not await self._core.command_runner.reached(sequence, timeout):
            raise generic_error(
                f"Timed out while waiting for a previous command to execute. command sequence number: {sequence}",
                CATCH_UP_TIMEOUT,
            )

    async def _try(self, statements: list[ParsedStatement], properties: Mapping[str, Any]) -> None:
        """Raises what would go wrong, changing nothing."""
        catalog = self._core.command_runner.catalog.copy()
        planned: dict[str, TopicInfo] = {}
        number = self._core.command_log.next_query_number

        async def topic(name: str) -> TopicInfo | None:
            return planned.get(name) or await self._core.broker.topic(name)

        session = dict(properties)
        for statement in statements:
            if isinstance(statement.ast, ast.Query | ast.Print):
                raise wrong_endpoint(statement.text)
            prepared = await self._prepare(statement, catalog, topic, session, [])
            if prepared.new_topic is not None:
                replicas = prepared.new_topic.replicas
                planned[prepared.new_topic.name] = TopicInfo(
                    prepared.new_topic.name,
                    prepared.new_topic.partitions,
                    replicas if replicas > 0 else 1,
                    prepared.new_topic.config,
                )
            number += 2
            if isinstance(prepared.command, SetProperty):
                if not props.is_known(prepared.command.name):
                    raise statement_error(f"Unknown property: {prepared.command.name}", statement.text)
                props.check_value(prepared.command.name, prepared.command.value)
            _apply_session(prepared.command, session)
            catalog.apply(prepared.command, f"TRY_{number}")

    async def _carry_out(
        self, statements: list[ParsedStatement], properties: Mapping[str, Any], variables: dict[str, str]
    ) -> list[Entity]:
        entities: list[Entity] = []
        session = dict(properties)
        for statement in statements:
            prepared = await self._prepare(
                statement, self._core.command_runner.catalog, self._core.broker.topic, session, entities
            )
            try:
                answer = await self._one(prepared, session, variables)
            except KsqlError as error:
                raise from_ksql_error(error, statement.text, entities) from error
            except BrokerError as error:
                raise statement_error(str(error), statement.text, 50000, entities) from error
            if answer is not None:
                entities.append(answer)
        return entities

    async def _prepare(
        self, statement: ParsedStatement, catalog: Any, topic: Any, session: Mapping[str, Any], entities: list[Entity]
    ) -> Prepared:
        preparer = Preparer(catalog, topic, session, partitions=self._settings.default_partitions)
        try:
            return await preparer.prepare(statement)
        except KsqlError as error:
            raise from_ksql_error(error, statement.text, entities) from error
        except BrokerError as error:
            raise statement_error(str(error), statement.text, 50000, entities) from error

    async def _one(  # noqa: PLR0911 - one answer per kind of statement
        self, prepared: Prepared, session: dict[str, Any], variables: dict[str, str]
    ) -> Entity | None:
        text, command = prepared.parsed.text, prepared.command
        match command:
            case CreateSource() | CreateQuery() | InsertQuery() | DropSource() | ControlQuery():
                return current_status(prepared.text, await self._core.command_runner.execute(prepared, session))
            case NothingToDo(message=message):
                return warning(text, message)
            case InsertValues():
                await insert_values(self._core, command)
                return None
            case SetProperty() | UnsetProperty():
                _apply_session(command, session)
                return None
            case Define(name=name, value=value):
                variables[name] = value
                return None
            case Undefine(name=name):
                variables.pop(name, None)
                return None
            case Show(what="VARIABLES"):
                listed = [{"name": name, "value": value} for name, value in sorted(variables.items())]
                return entity("variables", text, variables=listed)
            case Show(what=what, extended=extended):
                return await self._show(text, what, extended=extended)
            case DescribeSource() | DescribeAll() | Explain() | DescribeFunction():
                return await self._describe.answer(text, command)
            case PushQuery() | PullQuery() | Print():
                raise wrong_endpoint(text)

    async def _show(self, text: str, what: str, *, extended: bool) -> Entity:  # noqa: PLR0911 - one answer per kind
        executor = self._core.command_runner
        match what:
            case "STREAMS" | "TABLES":
                kind = SourceKind(what.removesuffix("S"))
                if extended:
                    return await self._describe.all(text, kind, extended=True)
                return listed_sources(text, kind, executor.catalog.sources())
            case "TOPICS" | "ALL TOPICS":
                return await self._topics(text, internal=what != "TOPICS", extended=extended)
            case "QUERIES":
                if extended:
                    return self._describe.all_queries(text)
                return entity("queries", text, queries=self._describe.queries())
            case "PROPERTIES":
                entries, defaults = props.listed(self._settings)
                return entity(
                    "properties", text, properties=entries, overwrittenProperties=[], defaultProperties=defaults
                )
            case "FUNCTIONS":
                listed = [{"name": f.name, "type": f.type, "category": f.category} for f in list_functions()]
                return entity("function_names", text, functions=listed)
            case "TYPES":
                return entity("type_list", text, types={})
            case "CONNECTORS" | "SOURCE CONNECTORS" | "SINK CONNECTORS" | "CONNECTOR PLUGINS":
                listed_things = "connector plugins" if what == "CONNECTOR PLUGINS" else "connectors"
                raise generic_error(
                    f"Failed to list {listed_things}: Connection refused: this server has no Kafka Connect.",
                    SERVER_ERROR,
                )
            case _:
                raise statement_error(f"SHOW {what} is not supported by this server.", text)

    async def _topics(self, text: str, *, internal: bool, extended: bool) -> Entity:
        found = sorted((await self._core.broker.topics()).values(), key=lambda t: t.name)
        shown = [t for t in found if t.name not in _INTERNAL and (internal or not _HIDDEN.fullmatch(t.name))]
        if not extended:
            return listed_topics(text, shown)
        readers: dict[str, int] = {}
        for spec in self._core.command_runner.specs.values():
            for topic in spec.input_topics:
                readers[topic] = readers.get(topic, 0) + 1
        return listed_topics_extended(text, shown, readers)


def _apply_session(command: Command, session: dict[str, Any]) -> None:
    """SET and UNSET act on the statements after them in the same request."""
    if isinstance(command, SetProperty):
        session[command.name] = command.value
    elif isinstance(command, UnsetProperty):
        session.pop(command.name, None)
