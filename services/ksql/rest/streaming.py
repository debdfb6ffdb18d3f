"""Turns the answer to a query into a streamed response."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from services.ksql.rest.queries import Answer, QueryService
from services.ksql.rest.rows import RowFormat, RowWriter, format_for
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
    yield row_format.begin(answer.header)
    for first in range(0, len(answer.rows), _CHUNK):
        yield row_format.rows([writer.write(row) for row in answer.rows[first : first + _CHUNK]])
    end = row_format.end(None)
    if end:
        yield end


async def _live(runtime: Runtime, queries: QueryService, answer: Answer, row_format: RowFormat) -> AsyncIterator[bytes]:
    live = answer.live
    assert live is not None
    writer = RowWriter(answer.header.types)
    try:
        yield row_format.begin(answer.header)
        try:
            while (rows := await runtime.call(live.take)) is not None:
                yield row_format.rows([writer.write(row) for row in rows])
        except RuntimeError as error:
            yield row_format.error(str(error))
        end = row_format.end("Limit Reached" if live.limit_reached else None)
        if end:
            yield end
    finally:
        await runtime.call(queries.close, live.id)


async def _printed(runtime: Runtime, printed: PrintedTopic) -> AsyncIterator[bytes]:
    try:
        while (text := await runtime.call(printed.take)) is not None:
            yield text.encode()
    finally:
        await runtime.call(printed.close)
