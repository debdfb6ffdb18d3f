"""What the server does besides running the script for each viewer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.dashboard import trends
from services.dashboard.backend import Backend, get_backend
from services.dashboard.plot import library


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[None]:
    """Trends begin with the server, not with its first visitor, who need not wait for imports either."""
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(trends.watch(_warm_up))
        yield
        watching.cancel()


def _warm_up() -> Backend:
    import_module("services.dashboard.app")
    return get_backend()


async def overview(request: Request) -> RedirectResponse:
    """Streamlit serves the first page at the root alone, and would call its own name unknown."""
    query = f"?{request.url.query}" if request.url.query else ""
    # relative, so that it also holds behind a proxy with a path of its own
    return RedirectResponse(f"./{query}")


class Preload:
    """Names plotly.js in the head of each document, so that a browser fetches it beside Streamlit's own scripts, not after them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("Content-Type", "").startswith("text/html"):
                    headers.append("Link", f"<{library.address()}>; rel=preload; as=script")
            await send(message)

        await self._app(scope, receive, named if scope["type"] == "http" else send)


def routes() -> list[Route]:
    """Addresses beside Streamlit's own."""
    return [library.route(), Route("/overview", overview)]
