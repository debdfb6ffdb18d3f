"""What every service serves beside its own routes."""

from __future__ import annotations

import re

import httpx
import pytest

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
