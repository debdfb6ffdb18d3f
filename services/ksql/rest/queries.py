"""``/query``, ``/query-stream``, ``/close-query``: one SELECT or PRINT, its rows as a streamed response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from starlette.responses import Response, StreamingResponse

from services.ksql.analysis.completion import StatementCompleter
from services.ksql.analysis.session_properties import plain
from services.ksql.errors import KsqlError, ParseError
from services.ksql.model.commands import Print, PullQuery, PushQuery
from services.ksql.model.types import STRING
from services.ksql.rest import properties as props
from services.ksql.rest.errors import NOT_READY, RestError, from_ksql_error, generic_error, statement_error
from services.ksql.rest.rows import DELIMITED, JSON, Header, Row, RowFormat, RowWriter, error_line, format_for
from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.client_queries import open_push, pull
from services.ksql.runtime.core import Core
from services.ksql.runtime.print_topic import PrintedTopic, open_print
from services.ksql.runtime.query_task import ClientOutput
from services.ksql.runtime.thread import Runtime
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
        if not isinstance(statement.ast, ast.Select | ast.Print):
            if endpoint is Endpoint.QUERY:
                raise generic_error(_NOT_FOR_QUERY)
            raise statement_error(f"{_NOT_A_QUERY}\nStatement: {statement.text}", statement.text)
        completer = StatementCompleter(
            self._core.command_runner.catalog,
            self._core.broker.topic,
            properties,
            partitions=self._core.options.default_partitions,
        )
        try:
            command = (await completer.complete(statement)).command
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
    reset = {plain(name): str(value) for name, value in properties.items()}.get("auto.offset.reset", "latest")
    return reset.lower() == "earliest"


#: rows of a pull query that are written at a time
_CHUNK = 1_000


def stream_answer(
    runtime: Runtime, queries: QueryService, answer: Answer | PrintedTopic, accept: str, *, default: str, http2: bool
) -> Response:
    """The response for an opened query; whatever way it ends, the query is closed with it."""
    if isinstance(answer, PrintedTopic):
        return StreamingResponse(_printed(runtime, answer), media_type="application/json")
    row_format = format_for(accept, default)
    # ksqlDB sends each row in a frame of its own, and clients (npm's ksqldb-client) read a row from each frame.
    apart = http2 and row_format.media_type == DELIMITED
    rows = (
        _live(runtime, queries, answer, row_format, apart=apart)
        if answer.live
        else _complete(answer, row_format, apart=apart)
    )
    return StreamingResponse(rows, media_type=row_format.media_type)


def _pieces(lines: Sequence[bytes], *, apart: bool) -> Sequence[bytes]:
    return lines if apart else (b"".join(lines),)


async def _complete(answer: Answer, row_format: RowFormat, *, apart: bool) -> AsyncIterator[bytes]:
    writer = RowWriter(answer.header.types)
    leads = row_format.media_type != DELIMITED
    lead, trail = (row_format.between, b"") if leads else (b"", row_format.between)
    yield row_format.before + row_format.header(answer.header) + trail
    await asyncio.sleep(0)
    for first in range(0, len(answer.rows), _CHUNK):
        rows = answer.rows[first : first + _CHUNK]
        lines = [lead + row_format.row(writer.write(row)) + trail for row in rows]
        for piece in _pieces(lines, apart=apart):
            yield piece
            await asyncio.sleep(0)
    if leads:
        yield row_format.after


async def _live(
    runtime: Runtime, queries: QueryService, answer: Answer, row_format: RowFormat, *, apart: bool
) -> AsyncIterator[bytes]:
    """Each line goes out whole, with what follows it, so that a client that reads lines sees a row when it is there."""
    live = answer.live
    if live is None:
        return
    writer = RowWriter(answer.header.types)
    # A JSON array must not end with a comma, and has no last element to put after one.
    leads = row_format.media_type == JSON
    lead, trail = (row_format.between, b"") if leads else (b"", row_format.between)
    try:
        yield row_format.before + row_format.header(answer.header) + trail
        last = row_format.final("Query Completed")
        try:
            while (rows := await runtime.call(live.take)) is not None:
                lines = [lead + row_format.row(writer.write(row)) + trail for row in rows]
                for piece in _pieces(lines, apart=apart):
                    yield piece
                    # Lines that wait to be sent are joined: the connection's own task runs first.
                    await asyncio.sleep(0)
        except RuntimeError as error:
            last = error_line(str(error))
        if live.limit_reached:
            last = row_format.final("Limit Reached")
        if last is not None:
            yield lead + last + row_format.after
        elif leads:
            yield row_format.after
    finally:
        await runtime.call(queries.close, live.id)


async def _printed(runtime: Runtime, printed: PrintedTopic) -> AsyncIterator[bytes]:
    try:
        while (text := await runtime.call(printed.take)) is not None:
            yield text.encode()
    finally:
        await runtime.call(printed.close)
