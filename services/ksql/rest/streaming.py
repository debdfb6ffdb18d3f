"""Turns the answer to a query into a streamed response."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from services.ksql.rest.queries import Answer, QueryService
from services.ksql.rest.rows import JSON, RowFormat, RowWriter, error_line, format_for
from services.ksql.runtime.print_topic import PrintedTopic
from services.ksql.runtime.thread import Runtime

#: rows of a pull query that are written at a time
_CHUNK = 1_000


def stream_answer(
    runtime: Runtime, queries: QueryService, answer: Answer | PrintedTopic, accept: str, *, default: str
) -> Response:
    """The response for an opened query; whatever way it ends, the query is closed with it."""
    if isinstance(answer, PrintedTopic):
        return StreamingResponse(_printed(runtime, answer), media_type="application/json")
    row_format = format_for(accept, default)
    rows = _live(runtime, queries, answer, row_format) if answer.live else _complete(answer, row_format)
    return StreamingResponse(rows, media_type=row_format.media_type)


async def _complete(answer: Answer, row_format: RowFormat) -> AsyncIterator[bytes]:
    writer = RowWriter(answer.header.types)
    yield row_format.before + row_format.header(answer.header)
    for first in range(0, len(answer.rows), _CHUNK):
        rows = answer.rows[first : first + _CHUNK]
        yield b"".join(row_format.between + row_format.row(writer.write(row)) for row in rows)
    yield row_format.after


async def _live(runtime: Runtime, queries: QueryService, answer: Answer, row_format: RowFormat) -> AsyncIterator[bytes]:
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
                yield b"".join(lead + row_format.row(writer.write(row)) + trail for row in rows)
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
