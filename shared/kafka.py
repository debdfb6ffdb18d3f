"""Kafka helpers: the partitioner all clients must agree on, an admin client with a lifetime, and end offsets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from shared.aiokafka_internals import all_metadata
from shared.errors import Unavailable


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of ``key``, as Java's default partitioner has it: murmur2 with the sign bit cleared, modulo.

    Producers that disagree on this (librdkafka's default does) make joins miss rows in silence.
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


async def track_topics(producer: AIOKafkaProducer, topics: Collection[str]) -> None:
    """Makes ``producer`` refresh the metadata of all of ``topics`` from now on. Call it before the first record for any of them.

    A producer that tracks nothing yet knows every topic, but the first topic that is new to it becomes the only one whose metadata it
    keeps. A batch for another one, queued at that moment, has no leader any more and fails after the request time-out.

    Raises:
        UnknownTopicOrPartitionError: a topic does not exist within the request time-out.
    """
    for topic in topics:
        producer.client.add_topic(topic)
    for topic in topics:
        await producer.partitions_for(topic)
    await producer.client.force_metadata_update()


@asynccontextmanager
async def admin_client(bootstrap: str, *, request_timeout_ms: int = 10_000) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client that is closed at the end.

    Raises:
        Unavailable: no broker answers.
    """
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=request_timeout_ms)
    try:
        await client.start()
    except KafkaError as error:
        await client.close()
        raise Unavailable(f"Kafka at {bootstrap} cannot be reached: {error}", service="kafka") from error
    try:
        yield client
    finally:
        await client.close()


async def end_offsets(bootstrap: str, topics: Iterable[str], *, committed: bool = True) -> dict[TopicPartition, int]:
    """The end of every partition of ``topics``; with ``committed`` the end of what committed transactions wrote."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed" if committed else "read_uncommitted"
    )
    await consumer.start()
    try:
        partitions = []
        for topic in topics:
            known = await all_metadata(consumer)
            partitions += [TopicPartition(topic, p) for p in known.partitions_for_topic(topic) or ()]
        return dict(await consumer.end_offsets(partitions)) if partitions else {}
    finally:
        await consumer.stop()
