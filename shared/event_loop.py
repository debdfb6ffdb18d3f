"""The event loop of every service: uvloop's, with one of its faults mended."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvloop


class EventLoop(uvloop.Loop):
    """uvloop's loop, whose ``create_connection`` can be cancelled while it looks up the host's name.

    uvloop's own leaves the look-up to itself then. If the name turns out not to exist, as that of a broker whose container was killed,
    it logs "Future exception was never retrieved". Here the look-up ends with the call.
    """

    async def create_connection(
        self, protocol_factory: Callable[[], Any], host: Any = None, port: Any = None, **options: Any
    ) -> tuple[Any, Any]:
        """As asyncio's; the addresses of ``host`` are tried one after another. Raises OSError (gaierror: no such name)."""
        if host is None:
            return await super().create_connection(protocol_factory, host, port, **options)
        lookup = {name: options.pop(name, 0) for name in ("family", "proto", "flags")}
        found = await self.getaddrinfo(host, port, type=socket.SOCK_STREAM, **lookup)
        if options.get("ssl") and options.get("server_hostname") is None:
            options["server_hostname"] = host
        failure: OSError | None = None
        for address in dict.fromkeys(str(entry[4][0]) for entry in found):
            try:
                return await super().create_connection(protocol_factory, address, port, **options)
            except OSError as error:
                failure = failure or error
        raise failure or OSError(f"the name {host} has no address")


def new_event_loop() -> EventLoop:
    """A loop factory, for uvicorn and ``asyncio.Runner``."""
    return EventLoop()
