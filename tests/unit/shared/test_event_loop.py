"""The services' event loop: a connection that is given up leaves nothing behind, and any other is made as ever."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shared.event_loop import new_event_loop
from shared.server import options
from shared.settings import ServiceSettings
from tests.ports import free_port


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main())


async def complaints_of_a_connection_given_up() -> list[str]:
    """The calls of the loop's exception handler when a connection is cancelled during the look-up of a name that does not exist."""
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
    connecting = asyncio.ensure_future(loop.create_connection(asyncio.Protocol, "no-such-host.invalid", 9092))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    # the look-ups are made in turn in one pool of threads: after these, the first one has ended as well
    others = [loop.getaddrinfo("no-such-host.invalid", port) for port in range(9100, 9106)]
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.05)
    gc.collect()
    await asyncio.sleep(0)
    return complaints


def test_a_connection_that_is_given_up_leaves_no_exception_behind() -> None:
    assert run(complaints_of_a_connection_given_up) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_connects_by_name_and_by_address(host: str) -> None:
    async def main() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(host, server.sockets[0].getsockname()[1])
            writer.write(b"here\n")
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
            return said

    assert run(main) == b"here\n"


def test_no_such_name_and_no_such_port_are_os_errors() -> None:
    port = free_port()

    async def connect(host: str) -> None:
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)

    with pytest.raises(socket.gaierror):
        run(lambda: connect("no-such-host.invalid"))
    with pytest.raises(ConnectionRefusedError):
        run(lambda: connect("127.0.0.1"))


def test_tls_checks_the_name_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    class Context(ssl.SSLContext):
        def wrap_bio(self, *args: Any, **arguments: Any) -> Any:
            given.update(arguments)
            raise ssl.SSLError("enough was seen")

    async def main() -> None:
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            loop = asyncio.get_running_loop()
            with pytest.raises(OSError):
                await loop.create_connection(asyncio.Protocol, "localhost", port, ssl=Context(ssl.PROTOCOL_TLS_CLIENT))

    run(main)
    assert given["server_hostname"] == "localhost"


def test_the_services_run_on_it() -> None:
    assert options(ServiceSettings(port=1))["loop"] == "shared.event_loop:new_event_loop"
