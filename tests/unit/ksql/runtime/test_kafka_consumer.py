"""Consumers that share a client, on aiokafka's own objects and a broker that answers no fetch."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import NoGroupCoordinator

from services.ksql.runtime import kafka_consumer
from services.ksql.runtime.kafka_consumer import AssignedConsumer, KafkaConsumer
from tests.patience import STEP_S
from tests.unit.unanswered import UnansweredFetches

_NOWHERE = "127.0.0.1:1"


class Cluster(UnansweredFetches):
    """Makes consumers whose fetches are never answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.made: list[AIOKafkaConsumer] = []
        monkeypatch.setattr(kafka_consumer, "committed_consumer", self._consumer)

    def _consumer(self, bootstrap: str) -> AIOKafkaConsumer:
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        self.made.append(consumer)

        async def start() -> None:
            consumer._fetcher = Fetcher(consumer._client, consumer._subscription)
            consumer._coordinator = NoGroupCoordinator(consumer._client, consumer._subscription)

        consumer.start = start
        self.attach(consumer)
        return consumer


def reader(topic: str, shared: AssignedConsumer) -> KafkaConsumer:
    async def log_ends(tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    return KafkaConsumer(_NOWHERE, topic, {0: 0, 1: 0}, log_ends, shared)


async def settled(task: asyncio.Task[Any]) -> bool:
    """Whether it ends; without wait_for, whose cancellation would end what hangs."""
    ended, _ = await asyncio.wait([task], timeout=STEP_S)
    return bool(ended)


async def test_readers_that_all_leave_at_once_let_others_in(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, shared = Cluster(monkeypatch), AssignedConsumer(_NOWHERE)
    first, second, third = (reader(topic, shared) for topic in ("a", "b", "c"))
    await first.start()
    await second.start()
    await asyncio.wait_for(cluster.sent.wait(), STEP_S)
    await first.stop()  # the fetch under way is of an earlier assignment now
    await asyncio.wait_for(cluster.cancelled.wait(), STEP_S)
    leaving = asyncio.create_task(second.stop())
    await asyncio.sleep(0)
    joining = asyncio.create_task(third.start())
    assert await settled(joining), "it waits for a consumer that does not end"
    cluster.released.set()
    assert await settled(leaving), "the consumer without readers does not end"
    await third.stop()
    assert len(cluster.made) == 2
    for consumer in cluster.made:
        assert consumer._fetcher._fetch_task.done()


async def test_a_reader_does_not_join_a_client_that_fetches_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, shared = Cluster(monkeypatch), AssignedConsumer(_NOWHERE)
    cluster.released.set()
    first, second = reader("a", shared), reader("b", shared)
    await first.start()
    await asyncio.wait_for(cluster.sent.wait(), STEP_S)
    monkeypatch.setattr(cluster.made[0]._fetcher, "_get_actions_per_node", lambda assignment: 1 / 0)
    cluster.made[0].assign([TopicPartition("a", 0)])
    await asyncio.wait([cluster.made[0]._fetcher._fetch_task], timeout=STEP_S)
    await second.start()
    assert len(cluster.made) == 2
    await first.stop()
    await second.stop()
