"""Connections of the HTTP server: a deadline for the head of a request and for the reading of an answer, and a bound on how many there are.

uvicorn closes a connection that is silent after a request, but waits for ever for the first one, for the rest of a head that
comes byte by byte, and for a client that does not read its answer.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.settings import ServiceSettings

#: more is sent without delay, so that a client that reads slowly is noticed
_JOINED_BYTES: Final = 16 * 1024


class BoundedConnection(H11Protocol):
    """uvicorn's own protocol with the two bounds; made by ``bounded``.

    What is overdue is aborted: a close would wait for a client that does not read, and keep its answer in memory.
    """

    deadline_s: ClassVar[float]
    most: ClassVar[int]
    _overdue: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        if len(self.connections) > self.most:
            self._make_room()
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._overdue is not None and not self._is_idle(self):
            self._overdue.cancel()
            self._overdue = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.deadline_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._overdue, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = None
        if self._is_idle(self):
            self._overdue = self.loop.call_later(self.deadline_s, self.transport.abort)

    def _make_room(self) -> None:
        """An idle connection is closed; if all are busy, the new one is."""
        idle = (other for other in self.connections if other is not self and self._is_idle(other))
        next(idle, self).transport.abort()

    @staticmethod
    def _is_idle(connection: Any) -> bool:
        return connection.cycle is None or connection.cycle.response_complete


class _JoinedWrites:
    """A transport that sends what is written in one iteration of the event loop at once, up to a bound.

    uvicorn writes the head and the body of an answer one after the other, and uvloop sends each as it comes: two system calls, and two
    packets that the client wakes up for.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held and data:
            self._loop.call_soon(self._flush)
        self._held += data
        if len(self._held) > _JOINED_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, bytearray()
            self._transport.write(held)


def bounded(settings: ServiceSettings) -> type[H11Protocol]:
    """The protocol class for uvicorn's option ``http``."""
    limits = {
        "deadline_s": settings.arrival_deadline.total_seconds(),
        "most": settings.max_connections,
    }
    return type("BoundedConnection", (BoundedConnection,), limits)
