"""What the server does besides running the script for each viewer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.dashboard import trends
from services.dashboard.backend import Backend, get_backend
from services.dashboard.plot import library

_HERE: Final = Path(__file__).parent
#: pages beside the first one, by their addresses
PAGES: Final = ("overview", "audience", "sources", "engagement", "pipeline", "controls", "records", "sql")
#: holds behind a proxy with a path of its own too
_HEAD: Final = (
    "<script>window.__streamlit={BACKEND_BASE_URL:location.origin+location.pathname"
    f".replace(/\\/({'|'.join(PAGES)})?\\/?$/,'')+'/'}};\n{(_HERE / 'page.js').read_text()}</script>"
    f"<style>{(_HERE / 'page.css').read_text()}</style>"
)


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[None]:
    """Trends begin with the server, not with its first visitor; the imports are done before the first visit too."""
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


class Document:
    """What each HTML document has besides Streamlit's own.

    It says where the server is: on a link straight to a page Streamlit's script would look below that page's address first, which is two
    answers 404 in the console. And it has our styles, so that they hold from the first element on, and a script that loads the page again
    when a part of it was lost (``page.js``). It does not let the browser fetch
    plotly.js ahead: the heading would come later for it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _wants_document(dict(scope["headers"])):
            await self._app(scope, receive, send)
            return
        # a document is small, and could not be added to when it is packed
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._app({**scope, "headers": plain}, receive, _Addition(send).send)


def _wants_document(headers: dict[bytes, bytes]) -> bool:
    # what is fetched ahead is asked for like a document, except for this header
    place = headers.get(b"sec-fetch-dest", b"document")
    return b"text/html" in headers.get(b"accept", b"") and place in (b"document", b"iframe")


class _Addition:
    """Adds to one answer, if it is a document."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_document(message):
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            body = self._body.replace(b"<head>", b"<head>" + _HEAD.encode(), 1)
            MutableHeaders(raw=self._start["headers"])["Content-Length"] = str(len(body))
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": body})


def _is_document(start: Message) -> bool:
    return MutableHeaders(raw=start["headers"]).get("Content-Type", "").startswith("text/html")


def routes() -> list[Route]:
    """Addresses beside Streamlit's own."""
    return [library.route(), Route("/overview", overview)]
