"""All partitions send together, a linger apart; nothing is kept back for longer than that, and many events not at all."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta

import pytest

from services.generator import publisher
from services.generator.publisher import Publisher
from services.generator.settings import Settings
from services.generator.statistics import Statistics
from tests.unit.generator.fakes import PARTITIONS, FakeBatch, FakeBroker, FakeProducer

_QUEUES = 2 * PARTITIONS
#: longer than the test lasts, so that the moment does not come while events are put
_LINGER = timedelta(seconds=1)


async def started(broker: FakeBroker, linger: timedelta) -> Publisher:
    statistics = Statistics()
    statistics.begin()
    made = Publisher(Settings(linger=linger), broker, statistics)
    await made.start()
    return made


async def test_events_of_all_partitions_are_sent_together(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    turn = 0

    class Counting(FakeProducer):
        async def send_batch(self, batch: FakeBatch, topic: str, *, partition: int) -> asyncio.Future[None]:
            turns.append(turn)
            return await super().send_batch(batch, topic, partition=partition)

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr("tests.unit.generator.fakes.FakeProducer", Counting)
    sender = await started(FakeBroker(), _LINGER)
    counting = asyncio.create_task(count())
    try:
        for number in range(20):
            sender.put([(queue, b"k", b"%d" % number) for queue in range(_QUEUES)], time.time_ns() // 1_000_000)
            await asyncio.sleep(0)
        await sender.flush()
    finally:
        counting.cancel()
        await sender.aclose()
    # one sending; two, if the moment came in between
    assert len(turns) in {_QUEUES, 2 * _QUEUES}
    assert set(Counter(turns).values()) <= {_QUEUES, 2 * _QUEUES}


async def test_many_events_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "_MANY", 3)
    broker = FakeBroker()
    sender = await started(broker, timedelta(days=1))
    try:
        sender.put([(0, b"k", b"v")] * 3 + [(1, b"k", b"v")] * 2, time.time_ns() // 1_000_000)
        async with asyncio.timeout(10):
            while len(broker.log) < 3:
                await asyncio.sleep(0)
        assert {partition for _, partition, _, _ in broker.log} == {0}
    finally:
        await sender.aclose()
