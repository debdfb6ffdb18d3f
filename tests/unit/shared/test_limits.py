"""Bounds on requests and connections, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from threading import Event

import httpx
import pytest
from fastapi import Response

from tests.patience import STEP_S, eventually
from tests.unit.serving import served
from tests.unit.shared.demo import make_app

BODY = b'{"rate": 1}'
HEAD = b"POST /start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


#: nothing of a request arrives so late
NEVER = timedelta(seconds=STEP_S)
SOON = timedelta(milliseconds=400)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a service that waits for requests as long as a busy machine needs to send them."""
    app = make_app(
        max_body_bytes=40_000,
        max_held_bytes=60_000,
        max_target_bytes=200,
        max_header_bytes=8_000,
        max_connections=8,
        arrival_deadline=NEVER,
    )
    with served(app) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def impatient_url() -> Iterator[str]:
    """Of a service that soon gives up what does not arrive."""
    with served(make_app(arrival_deadline=SOON)) as base_url:
        yield base_url


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        async with asyncio.timeout(STEP_S):
            yield reader, writer
    finally:
        writer.close()


def problem_type(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["type"]


async def test_a_body_above_the_limit_is_refused_with_and_without_a_length(url: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000

    async with httpx.AsyncClient(base_url=url, timeout=STEP_S) as client:
        assert problem_type(await client.post("/start", content=b" " * 40_001)) == (413, "body-too-large")
        assert problem_type(await client.post("/start", content=pieces())) == (413, "body-too-large")
        fits = await client.post("/start", content=BODY.ljust(40_000), headers={"content-type": "application/json"})
        assert fits.status_code == 200


async def test_an_announced_body_above_the_limit_is_not_waited_for(url: str) -> None:
    async with connection(url) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 99999999\r\n\r\n")
        assert b" 413 " in await reader.readline()


async def test_a_body_that_is_too_large_in_its_last_piece_is_answered_at_once(url: str) -> None:
    async with connection(url) as (reader, writer):
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9c41\r\n" + b" " * 40_001 + b"\r\n0\r\n\r\n")
        assert b" 413 " in await reader.readline()


async def test_long_targets_and_heads_are_refused(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=STEP_S) as client:
        assert problem_type(await client.get("/healthz", params={"x": "y" * 200})) == (414, "target-too-long")
        assert problem_type(await client.get("/healthz", headers={"x": "y" * 8_000})) == (431, "head-too-large")
    async with connection(url) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\n" + b"X: " + b"y" * 9_000)
        assert b" 400 " in await reader.readline()


async def test_a_body_that_comes_byte_by_byte_is_given_up(impatient_url: str) -> None:
    async def given_up() -> bool:
        async with connection(impatient_url) as (reader, writer):
            writer.write(HEAD + b"Content-Length: 11\r\n\r\n" + BODY[:-1])
            try:
                answer = await reader.readline()
                await reader.read()  # and the connection is closed
            except ConnectionResetError:
                return False
            return b" 408 " in answer

    # On a busy machine the head may have come too late: then there is no answer.
    await eventually(given_up, "an answer 408")


async def test_a_head_that_does_not_come_to_an_end_is_given_up(impatient_url: str) -> None:
    url = impatient_url
    async with connection(url) as (reader, writer), connection(url) as (silent, _):
        dribbled = asyncio.create_task(_dribble(writer))
        with suppress(ConnectionResetError):  # closed while a further byte was on its way
            assert await reader.read() == b""
        assert await silent.read() == b""
        dribbled.cancel()


@pytest.mark.parametrize("last", [b"", b"Connection: close\r\n"])
async def test_a_client_that_does_not_read_its_answers_is_given_up(last: bytes) -> None:
    """However it asks: its answers would stay in memory, and its place among the requests be taken, for as long as it likes."""
    app = make_app(max_requests=1, max_connections=4, arrival_deadline=SOON)

    asked = Event()

    @app.get("/large")
    async def large() -> Response:
        asked.set()
        return Response(bytes(20_000_000))

    with served(app) as base_url:
        request = b"GET /large HTTP/1.1\r\nHost: localhost\r\n"
        async with AsyncExitStack() as opened, httpx.AsyncClient(base_url=base_url, timeout=STEP_S) as client:
            reader: asyncio.StreamReader | None = None

            async def is_served() -> bool:
                nonlocal reader
                if reader is None or reader.at_eof() or reader.exception():  # its head came too late, on a busy machine
                    reader, writer = await opened.enter_async_context(connection(base_url))
                    writer.write(request + b"\r\n" + request + last + b"\r\n")
                return asked.is_set()

            async def answered() -> bool:
                with suppress(httpx.TransportError):  # as above
                    return (await client.get("/healthz")).status_code == 200
                return False

            # From here on the only place is taken, for as long as the answer may stay unread.
            await eventually(is_served, "the request is served")
            await eventually(answered, "the place is free again")


async def _dribble(writer: asyncio.StreamWriter) -> None:
    for byte in HEAD * 10:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def test_half_open_connections_give_way_to_requests(url: str) -> None:
    port = int(url.rpartition(":")[2])
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
    try:
        async with httpx.AsyncClient(base_url=url, timeout=STEP_S) as client:
            assert (await client.get("/healthz")).status_code == 200
    finally:
        for _, writer in opened:
            writer.close()


async def test_held_bodies_are_bounded_and_small_ones_still_pass(url: str) -> None:
    async with connection(url) as (_, first), connection(url) as (_, second):
        for writer in (first, second):
            writer.write(HEAD + b"Content-Length: 40000\r\n\r\n" + b" " * 29_000)
            await writer.drain()
        async with httpx.AsyncClient(base_url=url, timeout=STEP_S) as client:
            await _until_held(client)
            small = await client.post("/start", content=BODY, headers={"content-type": "application/json"})
    assert small.status_code == 200


async def _until_held(client: httpx.AsyncClient) -> None:
    """Both bodies have arrived so far that a third one is too many."""

    async def refused() -> bool:
        return (await client.post("/start", content=b" " * 30_000)).status_code == 503

    await eventually(refused, "bodies that are held")


async def test_requests_answered_at_once_are_bounded() -> None:
    app = make_app(max_requests=2)
    entered, leave = asyncio.Semaphore(0), asyncio.Event()

    @app.get("/slow")
    async def slow() -> str:
        entered.release()
        await leave.wait()
        return "done"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        waiting = [asyncio.create_task(client.get("/slow")) for _ in range(2)]
        for _ in waiting:
            await entered.acquire()
        assert problem_type(await client.get("/healthz")) == (503, "unavailable")
        leave.set()
        assert [(await answer).status_code for answer in waiting] == [200, 200]
        assert (await client.get("/healthz")).status_code == 200
