"""What the server does beside Streamlit."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from services.dashboard import asgi


@pytest.mark.parametrize(("asked", "sent_to"), [("", "./"), ("?range=1h&refresh=2s", "./?range=1h&refresh=2s")])
async def test_the_first_page_is_also_found_under_its_name(asked: str, sent_to: str) -> None:
    transport = httpx.ASGITransport(Starlette(routes=asgi.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://dashboard") as client:
        answer = await client.get(f"/overview{asked}")
    assert (answer.status_code, answer.headers["location"]) == (307, sent_to)


async def test_sampling_begins_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    made = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(asgi, "get_backend", lambda: loop.call_soon_threadsafe(made.set))
    async with asgi.lifespan(None), asyncio.timeout(30):
        await made.wait()
