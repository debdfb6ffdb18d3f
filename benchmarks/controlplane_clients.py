"""The clients of the control plane's benchmark, in a process of their own: what they wait for is the service, not one another's work.

Each holds one connection and speaks as much HTTP as the services' answers need; a general client would spend more on a call than the
service does, on the same cores.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import orjson
import uvloop

DEADLINE_S: Final = 30.0
#: connections to each service that send byte by byte, and that send nothing
SLOW: Final = 20
SILENT: Final = 50
DRIBBLE_S: Final = 0.2
_HEAD_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, to ``url``."""

    name: str
    method: str
    url: str
    body: dict[str, float] | None = None

    def request(self) -> bytes:
        parts, body = urlsplit(self.url), b"" if self.body is None else orjson.dumps(self.body)
        head = f"{self.method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


@dataclass(slots=True)
class Answers:
    """Seconds that each good answer took, by call, and how many requests had none."""

    took: dict[str, list[float]] = field(default_factory=dict)
    refused: int = 0


def run(calls: list[Call], clients: int, seconds: float, every_s: float) -> Answers:
    """``clients`` clients, the same number on each call, for ``seconds``; ``every_s`` from one question of a client to the next, 0: no
    pause. All are connected before the clock runs."""
    return uvloop.run(_run(calls, clients, seconds, every_s))


async def _run(calls: list[Call], clients: int, seconds: float, every_s: float) -> Answers:
    answers = Answers({call.name: [] for call in calls})
    ready = asyncio.Barrier(clients)

    async def client(number: int) -> None:
        call = calls[number % len(calls)]
        connection, request = Connection(call.url), call.request()
        await connection.open()
        await ready.wait()
        # Those that ask now and then do so one after the other, as people's browsers would.
        begin = time.monotonic()
        due = begin + every_s * number / clients
        while due < begin + seconds:
            await asyncio.sleep(due - time.monotonic())
            asked = time.monotonic()
            good = await connection.asked(request)
            now = time.monotonic()
            if good:
                answers.took[call.name].append(now - asked)
            answers.refused += not good
            due = max(now, due + every_s)

    await asyncio.gather(*map(client, range(clients)))
    return answers


class Connection:
    """One connection that is kept, to the host of ``url``."""

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)

    async def asked(self, request: bytes) -> bool:
        """``ask`` within the deadline; after a failure the connection is a new one."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self.ask(request)
        except (OSError, EOFError, TimeoutError):
            self._writer.close()
            await self.open()
            return False

    async def ask(self, request: bytes) -> bool:
        """Sends ``request`` and reads the whole answer; whether it is a success.

        Raises:
            EOFError, OSError: the server closed the connection.
        """
        self._writer.write(request)
        head = (await self._reader.readuntil(_HEAD_END)).lower()
        length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        await self._reader.readexactly(int(length))
        return head.split(b" ", 2)[1].startswith(b"2")


@asynccontextmanager
async def bad_neighbours(urls: list[str]) -> AsyncIterator[None]:
    """Connections that send slowly or not at all, to each service, for as long as the block lasts."""
    async with AsyncExitStack() as opened:
        dribbling = []
        for host, port in {(parts.hostname, parts.port) for parts in map(urlsplit, urls)}:
            for number in range(SLOW + SILENT):
                _, writer = await asyncio.open_connection(host, port)
                opened.callback(writer.close)
                if number < SLOW:
                    dribbling.append(asyncio.create_task(dribble(writer)))
        try:
            yield
        finally:
            for task in dribbling:
                task.cancel()
            await asyncio.wait(dribbling)


async def dribble(writer: asyncio.StreamWriter) -> None:
    request = b"POST /generator/start HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b" " * 100_000
    try:
        for byte in request:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(DRIBBLE_S)
    except ConnectionError:
        return
