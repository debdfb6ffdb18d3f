"""``POST /ksql`` and ``/ksql/terminate``: parse all, try all on a copy of the catalog, then carry them out one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.ksql.analysis.catalog import query_id_of
from services.ksql.analysis.completion import CompletedStatement, StatementCompleter
from services.ksql.errors import KsqlError
from services.ksql.functions.registry import list_functions
from services.ksql.model.commands import (
    AlterSource,
    AssertTopic,
    Command,
    ControlQuery,
    CreateConnector,
    CreateQuery,
    CreateSource,
    CreateType,
    Define,
    DescribeAll,
    DescribeConnector,
    DescribeFunction,
    DescribeSource,
    DropConnector,
    DropSource,
    DropType,
    Explain,
    InsertQuery,
    InsertValues,
    NothingToDo,
    Print,
    PullQuery,
    PushQuery,
    SetProperty,
    Show,
    Undefine,
    UnsetProperty,
)
from services.ksql.model.schema import SourceKind, TopicInfo
from services.ksql.rest import connectors
from services.ksql.rest import properties as props
from services.ksql.rest.assertions import assert_topic
from services.ksql.rest.descriptions import (
    DescribeStatements,
    Entity,
    current_status,
    entity,
    listed_sources,
    listed_topics,
    listed_topics_extended,
    type_info,
    warning,
)
from services.ksql.rest.errors import (
    CATCH_UP_TIMEOUT,
    NOT_READY,
    from_ksql_error,
    generic_error,
    statement_error,
    wrong_endpoint,
)
from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.command_runner import is_logged
from services.ksql.runtime.core import Core
from services.ksql.runtime.inserts import insert_values
from services.ksql.settings import Settings
from services.ksql.sql import ast
from services.ksql.sql.format import quote
from services.ksql.sql.parser import ParsedStatement, parse

_LONGEST: Final = 300
#: a pattern of n repetitions may take (length of the name)^n steps
_REPETITIONS: Final = 2
_REPEATED: Final = re.compile(r"[*+?}]")
#: a repeated group may take 2^(length of the name) steps
_REPEATED_GROUP: Final = re.compile(r"\)[*+?{]")


class TopicPattern:
    """One entry of ``deleteTopicList``.

    Raises:
        RestError: it is no regular expression, or one that may take too long.
    """

    def __init__(self, text: str) -> None:
        if (
            len(text) > _LONGEST
            or len(_REPEATED.findall(text)) > _REPETITIONS
            or _REPEATED_GROUP.search(text)
            or "(?" in text
        ):
            raise generic_error(f"Pattern too complex: at most {_REPETITIONS} repetitions, and none of a group")
        try:
            self._pattern = re.compile(text)
        except re.error as error:
            raise generic_error(f"Invalid pattern: {error}") from error

    def matches(self, topic: str) -> bool:
        return self._pattern.fullmatch(topic) is not None


#: topics that SHOW TOPICS leaves out: ksqlDB's by default, and those of this server
_HIDDEN = re.compile(
    "_confluent.*|__confluent.*|_schemas|connect-configs|connect-offsets|connect-status|connect-statuses|_pagepulse-ksql-.*"
)
#: Kafka's own, which its clients never list unless they are asked to
_INTERNAL = frozenset({"__consumer_offsets", "__transaction_state"})


@dataclass(frozen=True, slots=True)
class _Tried:
    """A statement with its plan, the version of the catalog that the plan was made against, and the id of the query that it starts.

    ``provisional``: it copies settings of a topic that the same request makes, which are known only when the broker has made it.
    """

    completed: CompletedStatement
    version: int
    query_id: str | None
    provisional: bool


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
        tried = await self._try(statements, properties)
        return await self._carry_out(tried, properties, dict(variables or {}))

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

    async def _try(self, statements: list[ParsedStatement], properties: Mapping[str, Any]) -> list[_Tried]:
        """The statements, planned each on what those before it would leave; raises what would go wrong, changing nothing."""
        tried: list[_Tried] = []
        catalog = self._core.command_runner.catalog.copy()
        planned: dict[str, TopicInfo] = {}
        number = self._core.command_log.next_query_number
        provisional = False

        async def topic(name: str) -> TopicInfo | None:
            nonlocal provisional
            provisional = provisional or name in planned
            return planned.get(name) or await self._core.broker.topic(name)

        session = dict(properties)
        for statement in statements:
            if isinstance(statement.ast, ast.Select | ast.Print):
                raise wrong_endpoint(statement.text)
            provisional = False
            completed = await self._complete(statement, catalog, topic, session, [])
            query_id = query_id_of(completed.command, catalog, number)
            tried.append(_Tried(completed, catalog.version, query_id, provisional))
            if completed.new_topic is not None:
                replicas = completed.new_topic.replicas
                planned[completed.new_topic.name] = TopicInfo(
                    completed.new_topic.name,
                    completed.new_topic.partitions,
                    replicas if replicas > 0 else 1,
                    completed.new_topic.config,
                )
            # a transaction of the command log takes two offsets: its record and its marker
            number += 2 if is_logged(completed.command) else 0
            if isinstance(completed.command, SetProperty):
                props.check_value(completed.command.name, completed.command.value)
            _apply_session(completed.command, session)
            catalog.apply(completed.command, query_id)
        return tried

    async def _carry_out(
        self, tried: list[_Tried], properties: Mapping[str, Any], variables: dict[str, str]
    ) -> list[Entity]:
        entities: list[Entity] = []
        session = dict(properties)
        catalog = self._core.command_runner.catalog
        as_tried = True
        for each in tried:
            statement, completed = each.completed.parsed, each.completed
            # The plan of the try holds as long as nothing but this request has changed the catalog.
            as_tried = as_tried and each.version == catalog.version
            if each.provisional or not as_tried:
                completed = await self._complete(statement, catalog, self._core.broker.topic, session, entities)
            try:
                answer = await self._one(completed, session, variables)
                as_tried = as_tried and (each.query_id is None or catalog.query(each.query_id) is not None)
            except KsqlError as error:
                raise from_ksql_error(error, statement.text, entities) from error
            except BrokerError as error:
                raise statement_error(str(error), statement.text, 50000, entities) from error
            if answer is not None:
                entities.append(answer)
        return entities

    async def _complete(
        self, statement: ParsedStatement, catalog: Any, topic: Any, session: Mapping[str, Any], entities: list[Entity]
    ) -> CompletedStatement:
        completer = StatementCompleter(catalog, topic, session, partitions=self._settings.default_partitions)
        try:
            return await completer.complete(statement)
        except KsqlError as error:
            raise from_ksql_error(error, statement.text, entities) from error
        except BrokerError as error:
            raise statement_error(str(error), statement.text, 50000, entities) from error

    async def _one(  # noqa: PLR0911 - one answer per kind of statement
        self, completed: CompletedStatement, session: dict[str, Any], variables: dict[str, str]
    ) -> Entity | None:
        text, command = completed.parsed.text, completed.command
        match command:
            case (
                CreateSource()
                | AlterSource()
                | CreateQuery()
                | InsertQuery()
                | DropSource()
                | ControlQuery()
                | CreateType()
                | DropType()
            ):
                return current_status(completed.text, await self._core.command_runner.execute(completed, session))
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
                return await self._show(text, what, session, extended=extended)
            case DescribeSource() | DescribeAll() | Explain() | DescribeFunction():
                return await self._describe.answer(text, command)
            case AssertTopic():
                return await assert_topic(self._core.broker, text, command)
            case CreateConnector() | DropConnector() | DescribeConnector():
                return await connectors.run(self._settings.connect_url, text, command)
            case PushQuery() | PullQuery() | Print():
                raise wrong_endpoint(text)

    async def _show(self, text: str, what: str, session: Mapping[str, Any], *, extended: bool) -> Entity:  # noqa: PLR0911 - one answer per kind
        runner = self._core.command_runner
        match what:
            case "STREAMS" | "TABLES":
                kind = SourceKind(what.removesuffix("S"))
                if extended:
                    return await self._describe.all(text, kind, extended=True)
                return listed_sources(text, kind, runner.catalog.sources())
            case "TOPICS" | "ALL TOPICS":
                return await self._topics(text, internal=what != "TOPICS", extended=extended)
            case "QUERIES":
                if extended:
                    return self._describe.all_queries(text)
                return entity("queries", text, queries=self._describe.queries())
            case "PROPERTIES":
                entries, overwritten, defaults = props.listed(self._settings, session)
                return entity(
                    "properties",
                    text,
                    properties=entries,
                    overwrittenProperties=overwritten,
                    defaultProperties=defaults,
                )
            case "FUNCTIONS":
                listed = [{"name": f.name, "type": f.type, "category": f.category} for f in list_functions()]
                return entity("function_names", text, functions=listed)
            case "TYPES":
                types = self._core.command_runner.catalog.types
                return entity("type_list", text, types={name: type_info(types[name]) for name in sorted(types)})
            case "CONNECTORS" | "SOURCE CONNECTORS" | "SINK CONNECTORS" | "CONNECTOR PLUGINS":
                return await connectors.listed(self._settings.connect_url, text, what)
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
