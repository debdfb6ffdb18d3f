"""Readers of the event stream, over real sockets: how many there may be, and what becomes of their places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

import httpx
import pytest

from services.generator.app import create_app
from services.generator.settings import Settings
from tests.patience import STEP_S, eventually
from tests.unit.generator.fakes import FakeBroker, seeder
from tests.unit.serving import served

EVENTS = "/generator/events"


@pytest.fixture
def url() -> Iterator[str]:
    with served(create_app(Settings(max_subscribers=2), FakeBroker(), seeder(10))) as base_url:
        yield base_url


async def test_subscribers_are_bounded_and_one_that_leaves_frees_a_slot(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=STEP_S) as client:
        async with AsyncExitStack() as readers:
            # Kept: an iterator that is dropped closes its stream.
            lines = []
            for _ in range(2):
                stream = await readers.enter_async_context(client.stream("GET", EVENTS, params={"interval_s": 0.1}))
                lines.append(stream.aiter_lines())
                assert await anext(lines[-1])
            refused = await client.get(EVENTS, params={"count": 1})
            assert (refused.status_code, refused.json()["type"]) == (429, "too-many-requests")
            assert (await client.get("/generator/status")).status_code == 200

        async def admitted() -> bool:
            return (await client.get(EVENTS, params={"count": 1})).status_code == 200

        await eventually(admitted, "capacity for another reader")
