"""What the server does beside Streamlit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

import services.dashboard
from services.dashboard import asgi, trends
from services.dashboard.plot import library
from services.dashboard.trends import Sample
from tests.patience import STEP_S


@pytest.mark.parametrize(("asked", "sent_to"), [("", "./"), ("?range=1h&refresh=2s", "./?range=1h&refresh=2s")])
async def test_the_first_page_is_also_found_under_its_name(asked: str, sent_to: str) -> None:
    transport = httpx.ASGITransport(Starlette(routes=asgi.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://dashboard") as client:
        answer = await client.get(f"/overview{asked}")
    assert (answer.status_code, answer.headers["location"]) == (307, sent_to)


async def test_a_document_has_the_server_and_our_styles_and_nothing_else_has() -> None:
    async def document(_: Request) -> HTMLResponse:
        return HTMLResponse("<html><head><title>x</title></head></html>")

    routes = [*asgi.routes(), Route("/sources", document)]
    app = asgi.Document(GZipMiddleware(Starlette(routes=routes), minimum_size=1))
    asking = {"accept": "text/html", "accept-encoding": "gzip"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dashboard") as client:
        page = await client.get("/sources", headers=asking)
        ahead = {**asking, "sec-fetch-dest": "empty"}
        script = await client.get(f"/{library.address()}", headers=ahead)
    assert page.text.startswith("<html><head><script>window.__streamlit={BACKEND_BASE_URL:")
    # fetched ahead it would delay the heading
    assert library.address() not in page.text
    # styles that came with the first elements would leave the layout to Streamlit until then
    head, _, _ = page.text.partition("</head>")
    assert (Path(services.dashboard.__file__).parent / "page.css").read_text() in head
    assert int(page.headers["content-length"]) == len(page.content)
    assert not script.text.startswith("<")
    assert script.headers["content-encoding"] == "gzip"


def test_every_page_of_the_menu_is_known_to_the_document() -> None:
    folder = Path(services.dashboard.__file__).parent / "pages"
    assert {path.stem for path in folder.glob("[a-z]*.py")} == set(asgi.PAGES)


class Watched:
    """As much of a backend as the sampler needs."""

    def __init__(self, sample: Callable[[], Sample], notify: Callable[[], None]) -> None:
        self.trends = self
        self.sample = sample
        self._notify = notify

    def add(self, _: Sample) -> None:
        self._notify()


async def test_sampling_begins_with_the_server_and_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    added = asyncio.Event()
    failures = [RuntimeError("a sample may fail")]

    def sample() -> Sample:
        if failures:
            raise failures.pop()
        return Sample(0.0, None, None, None)

    monkeypatch.setattr(asgi, "get_backend", lambda: Watched(sample, added.set))
    monkeypatch.setattr(trends, "EVERY_S", 0.0)
    async with asyncio.timeout(STEP_S):
        async with asgi.lifespan(None):
            await added.wait()
