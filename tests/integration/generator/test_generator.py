"""The generator against a real Kafka, with topics of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka.admin import NewTopic
from asgi_lifespan import LifespanManager

from services.generator.app import create_app
from services.generator.pacing import MAX_LAG_S
from services.generator.settings import Settings
from shared.json import loads
from shared.kafka import admin_client
from shared.partitioner import partition_for
from shared.topics import PARTITIONS, REPLICATION_FACTOR
from tests.integration.recompute import Raw
from tests.integration.sources import read_topic
from tests.patience import STEP_S, eventually
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

    async def until(self, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status that meets the condition."""
        now: dict[str, Any] = {}

        async def look() -> bool:
            nonlocal now
            now = await self.status()
            return met(now)

        await eventually(look, lambda: now, every_s=0.05)
        return now

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
                LifespanManager(app, startup_timeout=STEP_S, shutdown_timeout=STEP_S),
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
            ):
                assert (await client.get("/readyz")).json()["ready"]
                yield Running(client, stack.kafka_bootstrap, views, sessions)
        finally:
            await admin.delete_topics([views, sessions])


async def test_every_event_is_in_kafka_once_in_its_partition_and_has_its_session(stack: Stack) -> None:
    async with generator(stack) as running:
        await running.post("/generator/start", rate=2_000)
        await running.until(lambda now: now["acknowledged"] > 5_000)
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


async def test_the_rate_follows_and_is_kept_and_a_lonely_event_waits_for_no_other(stack: Stack) -> None:
    async with generator(stack) as running:
        await running.post("/generator/start", rate=100)
        await running.until(lambda now: now["achieved_rate"]["last_1s"] == pytest.approx(100, rel=0.2))
        before, began = await running.status(), time.monotonic()
        await running.client.put("/generator/rate", json={"rate": 3_000})
        # A busy machine may stop for a moment and catch up then, so one good second must come, not this one.
        await running.until(lambda now: now["achieved_rate"]["last_1s"] == pytest.approx(3_000, rel=0.25))
        after, elapsed = await running.status(), time.monotonic() - began
        await running.client.put("/generator/rate", json={"rate": 0.1})
        # ten seconds from the next one: an event is acknowledged without waiting for company, or for the end of the run
        alone = await running.until(lambda now: now["acknowledged"] == now["sent"])
        await running.post("/generator/stop")

    assert alone["state"] == "running"
    assert alone["ack_latency_ms"]["p50"] > 0
    # never more than was asked for, but for what may be owed from before
    assert after["sent"] - before["sent"] <= 3_000 * elapsed + 100 * MAX_LAG_S + 30


async def test_full_speed_loses_nothing_and_stays_bounded(stack: Stack) -> None:
    async with generator(stack) as running:
        await running.post("/generator/start", rate=0, max_events=150_000)

        def over(now: dict[str, Any]) -> bool:
            assert now["in_flight"] <= 160_000
            return bool(now["state"] == "stopped")

        status = await running.until(over)
        views, sessions = await running.records()

    assert status["acknowledged"] == 150_000 == len(views) + len(sessions)
    assert len({(r.key, r.value) for r in sessions}) == len(sessions)
