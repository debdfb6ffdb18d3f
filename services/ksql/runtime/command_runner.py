"""Runs commands (statements that change something): one at a time, durable in the command log before they take effect."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog, query_id_of
from services.ksql.analysis.completion import CompletedStatement
from services.ksql.errors import KsqlError
from services.ksql.model.commands import (
    AlterSource,
    Command,
    ControlQuery,
    CreateQuery,
    CreateSource,
    CreateType,
    DropSource,
    DropType,
    InsertQuery,
)
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.broker import Broker, BrokerError
from services.ksql.runtime.command_log import CommandLog, CommandRecord
from services.ksql.runtime.query_manager import QueryManager
from services.ksql.runtime.query_task import QuerySpec
from services.ksql.sql.parser import parse_one

_log = structlog.get_logger(__name__)

_CONTROLLED = {"TERMINATE": "Query terminated.", "PAUSE": "Query paused.", "RESUME": "Query resumed."}


class TopicRefused(KsqlError):
    """The broker did not make a topic."""

    error_code = 50000


@dataclass(frozen=True, slots=True)
class CommandStatus:
    """The outcome of a command, as ``/status`` gives it."""

    status: str
    message: str
    query_id: str | None = None


@dataclass(frozen=True, slots=True)
class Executed:
    """The answer to a command; ``sequence`` is its place in the log."""

    command_id: str
    status: CommandStatus
    sequence: int


def is_logged(command: Command) -> bool:
    """Whether a command goes into the command log."""
    return isinstance(
        command,
        CreateSource | AlterSource | CreateQuery | InsertQuery | DropSource | ControlQuery | CreateType | DropType,
    )


class CommandRunner:
    """Owns the catalog and the spec of each query; only ``execute`` and ``restore`` change them."""

    def __init__(self, broker: Broker, log: CommandLog, queries: QueryManager) -> None:
        self._broker = broker
        self._log = log
        self._queries = queries
        self._one_at_a_time = asyncio.Lock()
        self._applied = asyncio.Condition()
        self.catalog = Catalog()
        self.specs: dict[str, QuerySpec] = {}
        self.statuses: dict[str, CommandStatus] = {}
        self.sequence = -1

    async def restore(self) -> list[QuerySpec]:
        """Reads the command log and gives the queries that must run."""
        for logged in await self._log.open():
            try:
                analyzer = Analyzer(self.catalog, _plain(logged.properties), carried_out=True)
                command = analyzer.analyze(parse_one(logged.statement).ast, logged.statement)
                self._apply(command, logged)
            except KsqlError as error:
                _log.error("command cannot be replayed", command=logged.id, error=error.message)
                self.statuses[logged.id] = CommandStatus("ERROR", error.message)
        self.sequence = self._log.last_sequence
        return list(self.specs.values())

    async def execute(self, completed: CompletedStatement, properties: Mapping[str, Any]) -> Executed:
        """Makes topics, logs the command, and carries it out.

        Raises:
            TopicRefused: the broker refused to make the topic; nothing was done.
            BrokerError: the command could not be logged.
        """
        async with self._one_at_a_time:
            if completed.new_topic is not None:
                await self._create_topic(completed.new_topic)
            logged = await self._log.append(self._to_log(completed, properties))
            before = dict(self.specs)
            self._apply(completed.command, logged)
            try:
                await self._follow(completed.command, before)
            except BrokerError as error:
                _log.error("command failed", command=logged.id, error=str(error))
                self.statuses[logged.id] = CommandStatus("ERROR", str(error))
            async with self._applied:
                self.sequence = logged.sequence
                self._applied.notify_all()
            return Executed(logged.id, self.statuses[logged.id], logged.sequence)

    async def reached(self, sequence: int, timeout_s: float) -> bool:
        """Waits until the command of this number has been carried out; False if it takes too long."""
        try:
            async with asyncio.timeout(timeout_s), self._applied:
                await self._applied.wait_for(lambda: self.sequence >= sequence)
        except TimeoutError:
            return False
        return True

    async def _create_topic(self, info: TopicInfo) -> None:
        if await self._broker.topic(info.name) is not None:
            return
        try:
            await self._broker.create_topic(info)
        except BrokerError as error:
            raise TopicRefused(f"Failed to guarantee existence of topic {info.name}\nCaused by: {error}") from error

    def _to_log(  # noqa: PLR0911 - one answer per kind of command
        self, completed: CompletedStatement, properties: Mapping[str, Any]
    ) -> CommandRecord:
        command, number = completed.command, self._log.next_query_number
        match command:
            case CreateSource(source=source):
                return CommandRecord(f"{source.kind.lower()}/`{source.name}`/create", completed.text, properties)
            case AlterSource(source=source):
                return CommandRecord(f"{source.kind.lower()}/`{source.name}`/alter", completed.text, properties)
            case CreateQuery(sink=sink):
                query_id = query_id_of(command, self.catalog, number)
                return CommandRecord(f"{sink.kind.lower()}/`{sink.name}`/create", completed.text, properties, query_id)
            case InsertQuery(plan=plan):
                query_id = query_id_of(command, self.catalog, number)
                return CommandRecord(f"stream/`{plan.target.name}`/create", completed.text, properties, query_id)
            case DropSource(name=name, kind=kind):
                return CommandRecord(f"{kind.lower()}/{name}/drop", completed.text, properties)
            case ControlQuery(action=action, query_id=target):
                return CommandRecord(f"{action.lower()}/{target or 'ALL'}/execute", completed.text, properties)
            case CreateType(name=name):
                return CommandRecord(f"type/{name}/create", completed.text, properties)
            case DropType(name=name):
                return CommandRecord(f"type/{name}/drop", completed.text, properties)
            case _:
                raise TypeError(f"{type(command).__name__} is no command for the log")

    def _apply(self, command: Command, logged: CommandRecord) -> None:
        """What the command means for catalog and specs: the same now and at a restart."""
        message = ""
        match command:
            case CreateSource(source=source):
                message = f"{source.kind.capitalize()} created"
            case AlterSource(source=source):
                message = f"{source.kind.capitalize()} {source.name} altered."
            case CreateQuery(plan=plan) | InsertQuery(plan=plan):
                if logged.query_id is None or plan.sink is None:
                    raise KsqlError(f"the command {logged.id} names no query")
                message = f"Created query with ID {logged.query_id}"
                self.specs[logged.query_id] = QuerySpec(
                    logged.query_id,
                    plan,
                    plan.sink,
                    logged.statement,
                    logged.properties,
                    creates_sink=isinstance(command, CreateQuery),
                )
            case DropSource(name=name, source=source):
                message = (
                    f"Source `{name}` (topic: {source.topic}) was dropped."
                    if source
                    else f"Source `{name}` does not exist."
                )
            case CreateType(name=name, type=kind):
                message = f"Registered custom type with name '{name}' and SQL type {kind}"
            case DropType(name=name):
                message = f"Dropped type '{name}'"
            case ControlQuery(action=action, query_id=target):
                message = _CONTROLLED[action]
                if action != "TERMINATE":
                    for query_id in [target] if target else list(self.specs):
                        self.specs[query_id] = replace(self.specs[query_id], paused=action == "PAUSE")
        self.catalog.apply(command, logged.query_id)
        running = {query.id for query in self.catalog.queries()}
        self.specs = {query_id: spec for query_id, spec in self.specs.items() if query_id in running}
        self.statuses[logged.id] = CommandStatus("SUCCESS", message, logged.query_id)

    async def _follow(self, command: Command, before: Mapping[str, QuerySpec]) -> None:
        """Brings the running queries in line with the specs, and deletes a topic if asked to."""
        for query_id in before:
            if query_id not in self.specs:
                await self._queries.terminate(query_id)
        for query_id, spec in self.specs.items():
            old = before.get(query_id)
            if old is None or old.plan is not spec.plan:
                await self._queries.start(spec)
            elif old.paused != spec.paused:
                await (self._queries.pause(query_id) if spec.paused else self._queries.resume(query_id))
        if isinstance(command, DropSource) and command.delete_topic and command.source is not None:
            await self._broker.delete_topic(command.source.topic)


def _plain(properties: Mapping[str, Any]) -> dict[str, str]:
    return {str(k).removeprefix("ksql.streams."): str(v) for k, v in properties.items()}
