"""The collector as a process on real brokers: every acknowledged event is in Kafka once, also when it is killed or Kafka is unavailable."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka.admin import NewTopic

from shared.kafka import admin_client
from tests.integration.ksql.harness import free_port, read_all
from tests.patience import WORK_S, eventually
from tests.stack import REPOSITORY, Stack

pytestmark = pytest.mark.stack

_EVENTS, _BATCH, _SENDERS = 10_000, 20, 4


class CollectorProcess:
    """One collector with topics of its own."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.prefix = f"c{uuid4().hex[:8]}_"
        self.bootstrap = bootstrap
        self._environment = {
            **os.environ,
            "PAGEPULSE_HOST": "127.0.0.1",
            "PAGEPULSE_PORT": str(free_port()),
            "PAGEPULSE_KAFKA_BOOTSTRAP": bootstrap,
            "PAGEPULSE_JOURNAL": str(folder / "journal"),
            "PAGEPULSE_COLLECTOR_ID": self.prefix,
            "PAGEPULSE_STATE_TOPIC": f"{self.prefix}state",
            "PAGEPULSE_PAGE_VIEW_TOPIC": f"{self.prefix}views",
            "PAGEPULSE_USER_SESSION_TOPIC": f"{self.prefix}logins",
            "PAGEPULSE_CLIENT_EVENTS_PER_MINUTE": "1000000",
        }
        self.log = folder / "collector.log"
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._environment['PAGEPULSE_PORT']}", timeout=60)
        self._process: asyncio.subprocess.Process | None = None

    async def create_topics(self) -> None:
        async with admin_client(self.bootstrap) as admin:
            await admin.create_topics([NewTopic(f"{self.prefix}{name}", 5, 3) for name in ("views", "logins")])

    async def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.collector", cwd=REPOSITORY, stdout=log, stderr=log,
                env=self._environment | environment,
            )  # fmt: skip
        await eventually(self._answers, lambda: self.log.read_text()[-3000:], WORK_S)

    async def _answers(self) -> bool:
        try:
            return (await self.client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    async def end(self, *, kill: bool = False) -> None:
        if self._process is not None and self._process.returncode is None:
            if kill:
                self._process.kill()
            else:
                self._process.terminate()
            await self._process.wait()

    async def all_published(self) -> None:
        async def nothing_waits() -> bool:
            status = (await self.client.get("/collect/status")).json()
            return status["waiting"] == 0 and status["last_error"] is None

        await eventually(nothing_waits, lambda: self.log.read_text()[-3000:], WORK_S)

    async def records(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in await read_all(self.bootstrap, f"{self.prefix}{topic}")]

    async def clean_up(self) -> None:
        await self.end()
        await self.client.aclose()
        async with admin_client(self.bootstrap) as admin:
            await admin.delete_topics([t for t in await admin.list_topics() if t.startswith(self.prefix)])


@pytest.fixture
async def collector(stack: Stack, tmp_path: Path) -> AsyncIterator[CollectorProcess]:
    process = CollectorProcess(stack.kafka_bootstrap, tmp_path)
    try:
        yield process
    finally:
        await process.clean_up()


def view(number: int) -> dict[str, Any]:
    """Its page carries its number, so that it can be found again in the topic."""
    return {
        "id": f"event-{number:08d}",
        "session": f"visit-{number % 500:05d}",
        "url": f"https://shop.example/p/{number}",
    }


async def deliver(client: httpx.AsyncClient, batch: list[dict[str, Any]], dice: random.Random) -> None:
    """As the tracker does: until it is acknowledged, and now and then once more after that."""
    acknowledged = 0
    while acknowledged == 0 or dice.random() < 0.2:
        try:
            answer = await client.post("/collect", content=json.dumps(batch), headers={"Content-Type": "text/plain"})
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        if answer.status_code == 202:
            assert answer.json()["accepted"] == len(batch)
            acknowledged += 1
        else:
            assert answer.status_code in (429, 503), answer.text
            await asyncio.sleep(0.1)


async def test_each_of_ten_thousand_beacons_is_counted_once_over_retries_and_kills(collector: CollectorProcess) -> None:
    await collector.create_topics()
    await collector.start()
    batches = [[view(n) for n in range(start, start + _BATCH)] for start in range(0, _EVENTS, _BATCH)]
    left = asyncio.Queue[list[dict[str, Any]]]()
    for batch in batches:
        left.put_nowait(batch)
    kill_at = {len(batches) * 3 // 4, len(batches) // 2, len(batches) // 4}

    async def send(seed: int) -> None:
        dice = random.Random(seed)
        while not left.empty():
            batch = left.get_nowait()
            if left.qsize() in kill_at:
                await collector.end(kill=True)
                await collector.start()
            await deliver(collector.client, batch, dice)

    await asyncio.gather(*(send(seed) for seed in range(_SENDERS)))
    await collector.all_published()

    pages = Counter(record["page"] for record in await collector.records("views"))
    sessions = Counter(record["session_id"] for record in await collector.records("logins"))
    assert len(pages) == _EVENTS
    assert [page for page, count in pages.items() if count > 1] == []
    assert sessions == Counter({f"visit-{n:05d}": 1 for n in range(500)})


async def test_while_kafka_is_unavailable_events_are_kept_and_arrive_later_in_order(
    collector: CollectorProcess,
) -> None:
    await collector.start(PAGEPULSE_KAFKA_BOOTSTRAP=f"127.0.0.1:{free_port()}")
    for number in range(100):
        answer = await collector.client.post("/collect", json=view(number) | {"session": "visit-only"})
        assert answer.status_code == 202
    assert (await collector.client.get("/readyz")).status_code == 503
    await collector.end(kill=True)

    await collector.create_topics()
    await collector.start()
    await collector.all_published()

    assert [record["page"] for record in await collector.records("views")] == [f"/p/{n}" for n in range(100)]
    assert len(await collector.records("logins")) == 1


async def test_a_journal_that_is_gone_loses_and_doubles_nothing_of_the_new_one(
    collector: CollectorProcess, tmp_path: Path
) -> None:
    await collector.create_topics()
    await collector.start()
    for number in range(10):
        await collector.client.post("/collect", json=view(number))
    await collector.all_published()
    await collector.end()

    await collector.start(PAGEPULSE_JOURNAL=str(tmp_path / "another"))
    for number in range(10, 15):
        await collector.client.post("/collect", json=view(number))
    await collector.all_published()

    assert Counter(r["page"] for r in await collector.records("views")) == {f"/p/{n}": 1 for n in range(15)}


async def test_a_second_collector_with_the_same_id_fences_the_first(
    collector: CollectorProcess, tmp_path: Path
) -> None:
    await collector.create_topics()
    await collector.start()
    await collector.client.post("/collect", json=view(0))
    await collector.all_published()
    second = CollectorProcess(collector.bootstrap, tmp_path / "second")
    second.log.parent.mkdir()
    names = {name: value for name, value in collector._environment.items() if name.endswith(("_TOPIC", "_ID"))}
    try:
        await second.start(**names)
        await second.client.post("/collect", json=view(1))
        await second.all_published()
        await collector.client.post("/collect", json=view(2))

        async def is_fenced() -> bool:
            return "PAGEPULSE_COLLECTOR_ID" in str((await collector.client.get("/collect/status")).json()["last_error"])

        await eventually(is_fenced, lambda: collector.log.read_text()[-3000:], WORK_S)
    finally:
        await second.end()
        await second.client.aclose()
