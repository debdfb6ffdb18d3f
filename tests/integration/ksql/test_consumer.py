"""What a consumer says of a partition with a transaction under way, on real brokers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from services.ksql.runtime.kafka import KafkaBroker
from shared.kafka import track_topics
from tests.integration.ksql.harness import KsqlServer
from tests.patience import STEP_S, eventually

pytestmark = pytest.mark.stack


@asynccontextmanager
async def transacting(bootstrap: str, name: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=name)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def test_a_consumer_knows_of_records_that_cannot_be_read_yet(bootstrap: str) -> None:
    server = KsqlServer(bootstrap)
    broker = KafkaBroker(bootstrap)
    await broker.start()
    try:
        topic = await server.create_topic("undecided", 1)
        async with transacting(bootstrap, topic) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"1", partition=0)
            consumer = broker.consumer(topic, {0: 0})
            await consumer.start()
            try:

                async def knows_of_it() -> bool:
                    assert not await consumer.poll([0], timeout_ms=100)
                    return (consumer.position(0), consumer.end(0)) == (0, 1)

                await eventually(knows_of_it, "the consumer knows where the partition ends")

                await producer.commit_transaction()
                async with asyncio.timeout(STEP_S):
                    while consumer.position(0) < consumer.end(0) or consumer.position(0) < 1:
                        await consumer.poll([0], timeout_ms=100)
            finally:
                await consumer.stop()
    finally:
        await broker.stop()
        await server.client.aclose()
        await server.clean_up()


async def test_a_producer_keeps_the_leaders_of_all_the_topics_that_it_tracks(bootstrap: str) -> None:
    """Without tracking, the first topic that is new to a producer makes it forget the leaders of all others."""
    server = KsqlServer(bootstrap)
    try:
        old = await server.create_topic("old", 1)
        async with transacting(bootstrap, f"{old}-tracking") as producer:
            assert await producer.partitions_for(old)
            new = await server.create_topic("new", 1)
            await track_topics(producer, {old, new})

            async def both_have_leaders() -> bool:
                # any broker is asked, and may learn of a new topic after the one that has described it
                await producer.client.force_metadata_update()
                leaders = map(producer.client.cluster.leader_for_partition, (TopicPartition(t, 0) for t in (old, new)))
                return None not in leaders

            await eventually(both_have_leaders, "the leaders of both topics")
    finally:
        await server.client.aclose()
        await server.clean_up()
