"""Kafka clients that are opened whole or not at all, the topics that a producer tracks, and end offsets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.aiokafka_internals import all_metadata
from shared.errors import Unavailable


async def open_admin(bootstrap: str, *, request_timeout_ms: int = 10_000) -> AIOKafkaAdminClient:
    """A started admin client; the caller closes it. Raises ``Unavailable`` if no broker answers."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=request_timeout_ms)
    await _start(bootstrap, client.start, client.close)
    return client


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
    """An admin client that is closed at the end. Raises as ``open_admin``."""
    client = await open_admin(bootstrap, request_timeout_ms=request_timeout_ms)
    try:
        yield client
    finally:
        await client.close()


async def open_consumer(bootstrap: str, *, committed: bool = True, **options: Any) -> AIOKafkaConsumer:
    """A started consumer without a group, from the earliest record; the caller stops it.

    ``committed``: it sees only what committed transactions wrote; ``options`` are aiokafka's.

    Raises:
        Unavailable: no broker answers.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **options,
    )
    await _start(bootstrap, consumer.start, consumer.stop)
    return consumer


async def end_offsets(bootstrap: str, topics: Iterable[str], *, committed: bool = True) -> dict[TopicPartition, int]:
    """The end of every partition of ``topics``; with ``committed`` the end of what committed transactions wrote."""
    consumer = await open_consumer(bootstrap, committed=committed)
    try:
        partitions = []
        for topic in topics:
            known = await all_metadata(consumer)
            partitions += [TopicPartition(topic, p) for p in known.partitions_for_topic(topic) or ()]
        return dict(await consumer.end_offsets(partitions)) if partitions else {}
    finally:
        await consumer.stop()


def unavailable(bootstrap: str, error: Exception) -> Unavailable:
    return Unavailable(f"Kafka at {bootstrap} cannot be reached: {str(error) or type(error).__name__}", service="kafka")


async def _start(bootstrap: str, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
    """Starts a client; one that fails, or whose start is cancelled by a deadline, closes what it has opened."""
    try:
        await start()
    except BaseException as error:
        await stop()
        if isinstance(error, KafkaError):
            raise unavailable(bootstrap, error) from error
        raise
