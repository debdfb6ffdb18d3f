"""How much a request may be: target, head and body in bytes, arrival in time, and how many at once.

The body is read here, whole, before the service sees the request: a client that sends slowly holds nothing but its connection.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import BodyTooLarge, HeadTooLarge, PagePulseError, TargetTooLong, TooSlow, Unavailable
from shared.problems import refuse
from shared.settings import ServiceSettings
from shared.start_throttle import StartThrottle

#: a body up to this size is taken even when those that are held already take up what they may
_SMALL = 16 * 1024
#: of a body that is too large so much is read and thrown away before the answer: some clients read no answer before they have sent
#: all, and Hypercorn closes a connection whose request it answered half way
_THROWN_AWAY = 8 * 1024 * 1024
#: requests that begin in one turn of the loop: a few milliseconds
_STARTS_PER_ITERATION = 4
_BUSY = "The service is at capacity; retry shortly."


class LimitMiddleware:
    """Pure ASGI; answers 408, 413, 414, 431 and 503."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self.app = app
        self._settings = settings
        self._answering = 0
        #: bytes of bodies
        self._held = 0
        self._starts = StartThrottle(_STARTS_PER_ITERATION)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await self._starts.take()
        body = bytearray()
        try:
            self._check_head(scope)
            if (announced := _announced(scope)) > self._settings.max_body_bytes:
                if announced <= _THROWN_AWAY:
                    await self._throw_away(receive)
                raise self._too_large()
            if await self._fill(body, receive):
                await self._answer(bytes(body), scope, receive, send)
        except PagePulseError as error:
            await refuse(error, scope, receive, send)
        finally:
            self._held -= len(body)

    async def _answer(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        if self._answering >= self._settings.max_requests:
            raise Unavailable(_BUSY)
        self._answering += 1
        try:
            await self.app(scope, _replayed(body, receive), send)
        finally:
            self._answering -= 1

    def _check_head(self, scope: Scope) -> None:
        settings = self._settings
        if len(scope["raw_path"]) + len(scope["query_string"]) > settings.max_target_bytes:
            raise TargetTooLong(f"Path and query must not be longer than {settings.max_target_bytes} bytes together.")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > settings.max_header_bytes:
            raise HeadTooLarge(f"The headers must not be larger than {settings.max_header_bytes} bytes together.")

    async def _fill(self, body: bytearray, receive: Receive) -> bool:
        """Reads the whole body; False if the client left before it was complete."""
        deadline = self._settings.arrival_deadline.total_seconds()
        try:
            async with asyncio.timeout(deadline):
                while (message := await receive())["type"] == "http.request":
                    more = message.get("more_body", False)
                    piece = message.get("body", b"")
                    body += piece
                    self._held += len(piece)
                    if len(body) > self._settings.max_body_bytes:
                        if more:
                            await self._throw_away(receive)
                        raise self._too_large()
                    if len(body) > _SMALL and self._held > self._settings.max_held_bytes:
                        raise Unavailable(_BUSY)
                    if not more:
                        return True
        except TimeoutError:
            raise TooSlow(f"The body was not complete within {deadline:g} s.") from None
        return False

    async def _throw_away(self, receive: Receive) -> None:
        """Reads what is left of the body, as far as that is not too much and does not take too long."""
        left = _THROWN_AWAY
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.arrival_deadline.total_seconds()):
                while left > 0 and (message := await receive()).get("more_body", False):
                    left -= len(message.get("body", b""))

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body must not be larger than {self._settings.max_body_bytes} bytes.")


def _announced(scope: Scope) -> int:
    """The length that the head says the body has; 0 if it does not."""
    given = dict(scope["headers"]).get(b"content-length", b"")
    return int(given) if given.isdigit() and len(given) < 20 else 0


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, then what comes after it: the news that the client has left."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay
