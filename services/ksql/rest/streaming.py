"""Turns the answer to a query into a streamed response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from starlette.responses import Response, StreamingResponse

from services.ksql.rest.queries import Answer, QueryService
from services.ksql.rest.rows import DELIMITED, JSON, RowFormat, RowWriter, error_line, format_for
from services.ksql.runtime.print_topic import PrintedTopic
from services.ksql.runtime.thread import Runtime

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
                    # What waits to be sent is joined: the connection's own task has its turn first.
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
