from __future__ import annotations

import asyncio

import httpx

from shared.settings import ServiceSettings
from shared.web import create_service_app


async def test_however_many_ask_for_readiness_each_check_runs_once_at_a_time() -> None:
    running, most, go_on = 0, 0, asyncio.Event()

    async def check() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1

    app = create_service_app(
        name="demo",
        summary="A demo",
        settings=ServiceSettings(port=1),
        routers=[],
        checks=lambda _: {"kafka": check},
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        asking = [asyncio.create_task(client.get("/readyz")) for _ in range(20)]
        while not running:
            await asyncio.sleep(0)
        asking += [asyncio.create_task(client.get("/readyz")) for _ in range(20)]
        go_on.set()
        assert {(await answer).status_code for answer in asking} == {200}
    assert most == 1
