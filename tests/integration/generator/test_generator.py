"""The generator against a real Kafka, with topics of its own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka.admin import NewTopic
from asgi_lifespan import LifespanManager

from services.generator.app import create_app
from services.generator.settings import Settings
from shared.json import loads
from shared.kafka import admin_client, partition_for
from shared.topics import PARTITIONS, REPLICATION_FACTOR
from tests.integration.recompute import Raw
from tests.integration.sources import read_topic
from tests.stack import Stack

pytestmark = pytest.mark.stack


@dataclass(frozen=True, slots=True)
class Running:
    client: httpx.AsyncClient
    bootstrap: str
    views: str
    sessions: str

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def status(self) -> dict[str, Any]:
        return dict((await self.client.get("/generator/status")).json())

    async def records(self) -> tuple[list[Raw], list[Raw]]:
        return await read_topic(self.bootstrap, self.views), await read_topic(self.bootstrap, self.sessions)


@asynccontextmanager
async def generator(stack: Stack, **more: Any) -> AsyncIterator[Running]:
    """The service in this process, on the stack's Kafka and seeder."""
    views, sessions = (f"generator_test_{kind}_{uuid4().hex[:8]}" for kind in ("views", "sessions"))
    settings = Settings(
        kafka_bootstrap=stack.kafka_bootstrap,
        seeder_url=stack.url("seeder"),
        page_view_topic=views,
        user_session_topic=sessions,
        **more,
    )
    async with admin_client(stack.kafka_bootstrap) as admin:
        await admin.create_topics([NewTopic(name, PARTITIONS, REPLICATION_FACTOR) for name in (views, sessions)])
        app = create_app(settings)
        try:
            async with (
                LifespanManager(app, shutdown_timeout=30),
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
            ):
                assert (await client.get("/readyz")).json()["ready"]
                yield Running(client, stack.kafka_bootstrap, views, sessions)
        finally:
            await admin.delete_topics([views, sessions])


async def test_every_event_is_in_kafka_once_in_its_partition_and_has_its_session(stack: Stack) -> None:
    async with generator(stack) as running:
        await running.post("/generator/start", rate=2_000)
        await asyncio.sleep(3)
        final = await running.post("/generator/stop")
        views, sessions = await running.records()

    assert final["failed"] == {}
    assert final["sent"] == final["acknowledged"] == len(views) + len(sessions)
    assert (final["made"]["page_views"], final["made"]["user_sessions"]) == (len(views), len(sessions))
    owners = {loads(r.value)["session_id"]: loads(r.value)["user_id"] for r in sessions if r.value}
    assert len(owners) == len(sessions)
    for record in views:
        assert record.key is not None
        assert record.value is not None
        assert record.partition == partition_for(record.key, PARTITIONS)
        view = loads(record.value)
        assert owners[view["session_id"]] == view["user_id"]
        # the broker's clock, on the same machine: behind the event, by as long as a busy machine takes
        assert -1_000 < record.timestamp - view["event_timestamp"] < 60_000
    assert max(Counter((r.key, r.value) for r in views).values()) == 1


async def test_the_rate_follows_within_a_second_and_is_kept(stack: Stack) -> None:
    async with generator(stack) as running:
        await running.post("/generator/start", rate=100)
        await asyncio.sleep(1)
        before = await running.status()
        await running.client.put("/generator/rate", json={"rate": 3_000})
        began = time.monotonic()
        await asyncio.sleep(1.5)
        after = await running.status()
        elapsed = time.monotonic() - began
        await running.client.put("/generator/rate", json={"rate": 100})
        await running.post("/generator/stop")

    assert before["achieved_rate"]["overall"] == pytest.approx(100, rel=0.2)
    assert after["achieved_rate"]["last_1s"] == pytest.approx(3_000, rel=0.25)
    assert after["sent"] - before["sent"] == pytest.approx(3_000 * elapsed, rel=0.1)


async def test_full_speed_loses_nothing_and_stays_bounded(stack: Stack) -> None:
    async with generator(stack) as running:
        await running.post("/generator/start", rate=0, max_events=150_000)
        async with asyncio.timeout(60):
            status = await running.status()
            while status["state"] != "stopped":
                assert status["in_flight"] <= 160_000
                await asyncio.sleep(0.05)
                status = await running.status()
        views, sessions = await running.records()

    assert status["acknowledged"] == 150_000 == len(views) + len(sessions)
    assert len({(r.key, r.value) for r in sessions}) == len(sessions)


async def test_events_are_acknowledged_soon_at_a_low_rate(stack: Stack) -> None:
    async with generator(stack) as running:
        await running.post("/generator/start", rate=50)
        await asyncio.sleep(3)
        final = await running.post("/generator/stop")

    assert final["ack_latency_ms"]["p50"] < 100
