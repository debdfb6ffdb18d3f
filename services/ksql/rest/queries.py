"""``/query`` and ``/query-stream``: SELECT and PRINT, answered with a stream of rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.ksql.errors import KsqlError, ParseError
from services.ksql.model.commands import PullQuery, PushQuery
from services.ksql.model.plain import Print
from services.ksql.model.types import STRING
from services.ksql.prepare import Preparer
from services.ksql.rest import properties as props
from services.ksql.rest.errors import NOT_READY, RestError, from_ksql_error, generic_error, statement_error
from services.ksql.rest.rows import Header, Row
from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.client_queries import open_push, pull
from services.ksql.runtime.core import Core
from services.ksql.runtime.print_topic import PrintedTopic, open_print
from services.ksql.runtime.query_task import ClientOutput
from services.ksql.sql import ast
from services.ksql.sql.parser import parse

_NOT_A_QUERY = "Neither a query nor a print statement"
_NOT_FOR_QUERY = (
    "Statement type `io.confluent.ksql.parser.KsqlParser$PreparedStatement' not supported for this resource"
)


class Endpoint(StrEnum):
    """The two endpoints word their errors differently."""

    QUERY = "/query"
    QUERY_STREAM = "/query-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """Either ``rows``, all there are, or ``live``, whose rows come bit by bit."""

    header: Header
    rows: Sequence[Row] = ()
    live: ClientOutput | None = None


class QueryService:
    """Runs on the core's loop; what it opens must be closed with ``close``."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def open(
        self,
        text: str,
        properties: Mapping[str, Any],
        variables: Mapping[str, str] | None,
        endpoint: Endpoint,
    ) -> Answer | PrintedTopic:
        """Starts the one query of ``text``.

        Raises:
            RestError: it cannot be run.
        """
        if not self._core.ready.is_set():
            raise generic_error("Server is not yet ready to serve requests.", NOT_READY)
        props.check_allowed(properties)
        statement = self._parse(text, variables, endpoint)
        props.check(properties, statement.text, unknown_too=endpoint is Endpoint.QUERY)
        if not isinstance(statement.ast, ast.Query | ast.Print):
            if endpoint is Endpoint.QUERY:
                raise generic_error(_NOT_FOR_QUERY)
            raise statement_error(f"{_NOT_A_QUERY}\nStatement: {statement.text}", statement.text)
        preparer = Preparer(
            self._core.command_runner.catalog,
            self._core.broker.topic,
            properties,
            partitions=self._core.options.default_partitions,
        )
        try:
            command = (await preparer.prepare(statement)).command
            match command:
                case PullQuery(plan=plan):
                    names = tuple(item.name for item in plan.select)
                    types = tuple(item.expression.type or STRING for item in plan.select)
                    header = Header(f"query_{int(time.time() * 1000)}", names, types, frozenset(plan.key_columns))
                    return Answer(header, rows=pull(self._core, plan))
                case PushQuery(plan=plan, until_end=until_end):
                    live = await open_push(self._core, plan, earliest=_earliest(properties), to_end=until_end)
                    columns = plan.root.schema.value
                    header = Header(live.id, tuple(c.name for c in columns), tuple(c.type for c in columns))
                    return Answer(header, live=live)
                case Print():
                    return await open_print(self._core, command)
        except KsqlError as error:
            raise from_ksql_error(error, statement.text) from error
        except BrokerError as error:
            raise statement_error(str(error), statement.text, 50000) from error
        raise generic_error(_NOT_FOR_QUERY)

    async def close(self, query_id: str) -> bool:
        """Ends a push query; False if there is none of this id."""
        return await self._core.query_manager.close_transient(query_id)

    def _parse(self, text: str, variables: Mapping[str, str] | None, endpoint: Endpoint) -> Any:
        try:
            statements = parse(text, {name.upper(): value for name, value in (variables or {}).items()})
        except ParseError as error:
            raise _syntax_error(error, text, endpoint) from error
        except KsqlError as error:
            raise from_ksql_error(error, text) from error
        if len(statements) != 1:
            raise statement_error(f"Expected exactly one KSQL statement; found {len(statements)} instead", text)
        return statements[0]


def _syntax_error(error: ParseError, text: str, endpoint: Endpoint) -> RestError:
    message = f"{error.message}\nStatement: {text}"
    place = error.message.partition(": ")[0]
    if endpoint is Endpoint.QUERY and "Syntax Error\n" in error.message:
        message += f"\nCaused by: {place}: Syntax error at {place}"
    return statement_error(message, text)


def _earliest(properties: Mapping[str, Any]) -> bool:
    reset = {props.plain(name): str(value) for name, value in properties.items()}.get("auto.offset.reset", "latest")
    return reset.lower() == "earliest"
