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
from tests.patience import eventually
from tests.unit.generator.fakes import PARTITIONS, FakeBatch, FakeBroker, FakeProducer

_QUEUES = 2 * PARTITIONS
#: longer than the test lasts on a quiet machine, so that the moment does not come while events are put
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
    began = time.monotonic()
    try:
        for number in range(20):
            sender.put([(queue, b"k", b"%d" % number) for queue in range(_QUEUES)], time.time_ns() // 1_000_000)
            await asyncio.sleep(0)
        await sender.flush()
    finally:
        counting.cancel()
        await sender.aclose()
    # one sending; on a busy machine one more for each further moment that came in between
    moments = time.monotonic() // _LINGER.total_seconds() - began // _LINGER.total_seconds()
    assert len(turns) <= max(1, moments) * _QUEUES
    assert all(count % _QUEUES == 0 for count in Counter(turns).values())


async def test_many_events_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "_MANY", 3)
    broker = FakeBroker()
    sender = await started(broker, timedelta(days=1))
    try:
        sender.put([(0, b"k", b"v")] * 3 + [(1, b"k", b"v")] * 2, time.time_ns() // 1_000_000)
        await eventually(lambda: len(broker.log) >= 3, "the events of the full queue")
        assert {partition for _, partition, _, _ in broker.log} == {0}
    finally:
        await sender.aclose()
