"""The collector on real brokers: every acknowledged event is in Kafka once, also when Kafka or its journal was unavailable, and
however often it is killed. ``make drill`` does the same on the whole pipeline, with its audit."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.collector import CollectorProcess, deliver, view
from tests.patience import WORK_S, eventually
from tests.ports import free_port
from tests.stack import Stack

pytestmark = pytest.mark.stack

_EVENTS, _BATCH, _SENDERS = 10_000, 20, 4


@pytest.fixture
async def collector(stack: Stack, tmp_path: Path) -> AsyncIterator[CollectorProcess]:
    process = CollectorProcess(tmp_path, stack.kafka_bootstrap)
    try:
        yield process
    finally:
        await process.clean_up()


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
            await deliver(collector.client, batch, dice, [])

    await asyncio.gather(*(send(seed) for seed in range(_SENDERS)))
    await collector.all_published()

    pages = Counter(record["page"] for record in await collector.records("views"))
    sessions = Counter(record["session_id"] for record in await collector.records("logins"))
    assert len(pages) == _EVENTS
    assert [page for page, count in pages.items() if count > 1] == []
    assert sessions == Counter({f"event-visit-{n:05d}": 1 for n in range(500)})


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
    second = CollectorProcess(tmp_path / "second", collector.bootstrap)
    second.log.parent.mkdir()
    names = {name: value for name, value in collector.environment.items() if name.endswith(("_TOPIC", "_ID"))}
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
