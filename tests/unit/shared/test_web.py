"""What every service serves beside its own routes."""

from __future__ import annotations

import re
from typing import Any

import anyio.to_thread
import httpx
import pytest

from services.ksql.app import create_app as create_ksql
from services.ksql.settings import Settings as KsqlSettings
from tests.security.apps import client_of
from tests.unit.shared.demo import make_app


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_of_documentation_need_no_other_server(page: str) -> None:
    transport = httpx.ASGITransport(make_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        html = (await client.get(page)).text
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']*""", html)
        scripts = re.findall(r"""<script src=["']([^"']+)""", html)
        assert scripts
        for script in scripts:
            answer = await client.get(script)
            assert answer.status_code == 200
            assert "javascript" in answer.headers["content-type"]


async def test_the_root_leads_to_the_documentation() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(make_app()), base_url="http://localhost") as client:
        answer = await client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
        assert (await client.get("/", follow_redirects=True)).status_code == 200


async def test_the_root_of_ksql_leads_where_that_of_ksqldb_does() -> None:
    app = create_ksql(KsqlSettings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/")).headers["location"] == "/info"


@pytest.mark.parametrize("path", ["/generator/status", "/seeder/stats", "/provisioner/status"])
async def test_a_request_is_answered_without_a_thread(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI runs a dependency that is no coroutine in a thread, of which there are few."""

    async def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a thread was asked for")

    async with client_of(path.split("/")[1]) as client:
        monkeypatch.setattr(anyio.to_thread, "run_sync", refuse)
        assert (await client.get(path)).status_code == 200
