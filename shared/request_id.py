"""A request id on every request: in the answer's header, in problem documents and in each log line, whatever becomes of the request."""

from __future__ import annotations

import re
from secrets import token_hex

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.problems import answer_unexpected

HEADER = b"x-request-id"
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Pure ASGI (a streaming answer passes through untouched). Keeps an id that the caller sent, if it is a plain one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(HEADER, b"")
        request_id = given if _ACCEPTABLE.fullmatch(given) else token_hex(16).encode()

        started = False

        async def with_header(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id)]
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        try:
            await self.app(scope, receive, with_header)
        except Exception as error:
            # Further out the id is not known any more.
            if not started:
                await answer_unexpected(error, scope, receive, with_header)
            raise
        finally:
            structlog.contextvars.reset_contextvars(**bound)
