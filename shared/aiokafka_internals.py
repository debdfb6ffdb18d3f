"""The private names of aiokafka that PagePulse uses, all in one place.

aiokafka has no public way to take a whole fetch, to learn a last stable offset without a request, to append records to a batch without
two objects for each, or to give up a producer whose broker is gone. ``tests/unit/shared/test_aiokafka_internals.py`` uses each of these
functions on aiokafka's own objects, so that a version that moves a name fails there; ``pyproject.toml`` bounds the version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

_NO_HEADERS: list[tuple[str, bytes | None]] = []
#: a routine that has not ended by then may have lost its cancellation
_CANCEL_AGAIN_S = 0.05


async def all_metadata(consumer: AIOKafkaConsumer) -> Any:
    """The metadata of all topics, as the brokers have it now."""
    return await consumer._client.fetch_all_metadata()


async def wait_for_fetch(consumer: AIOKafkaConsumer, tps: Collection[TopicPartition], timeout_s: float) -> None:
    """Returns as soon as something of these assigned partitions was fetched, or at the end of the time.

    Raises:
        KafkaError: the broker has refused a fetch.
    """
    fetcher: Any = consumer._fetcher
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while not any(tp in fetcher._records for tp in tps):
                await fetcher._create_fetch_waiter()
    for tp in tps:
        if tp in fetcher._records and not isinstance(fetcher._records[tp], FetchResult):
            await consumer.getmany(tp, timeout_ms=0)  # it raises what went wrong


def take_fetched(consumer: AIOKafkaConsumer, tp: TopicPartition) -> list[Any]:
    """All records of a partition that were fetched and not taken yet, as aiokafka reads them (``offset``, ``timestamp``, ``key``,
    ``value``, ``headers``). The consumer's position moves behind them, and the next fetch begins at once.

    ``getmany`` makes two objects for each record and asks the broker for more only when all were taken, record by record. Which records
    belong to aborted transactions is still decided by aiokafka.
    """
    fetcher: Any = consumer._fetcher
    fetched = fetcher._records.get(tp)
    if not isinstance(fetched, FetchResult):
        return []
    del fetcher._records[tp]
    fetcher._notify(fetcher._wait_consume_future)
    if not fetched.check_assignment(tp):
        return []
    partition: Any = fetched._partition_records
    partition._consumer_record = _unchanged
    records = list(partition._records_iterator)
    fetched._update_position()
    return records


def _unchanged(tp: TopicPartition, record: Any) -> Any:
    return record


def set_fetch_wait(consumer: AIOKafkaConsumer, wait_ms: int) -> None:
    """How long a broker keeps the next fetches open that it has nothing for."""
    fetcher: Any = consumer._fetcher
    fetcher._fetch_max_wait_ms = wait_ms


def partition_state(consumer: AIOKafkaConsumer, tp: TopicPartition) -> Any:
    """aiokafka's state of an assigned partition, None if it is not assigned: ``position`` where ``has_valid_position``, ``lso`` (the last
    stable offset of the newest fetch) and ``timestamp`` (when that came, in ms), which are known without a request."""
    subscription = consumer._subscription.subscription
    if subscription is None or tp not in subscription.assignment.tps:
        return None
    return subscription.assignment.state_value(tp)


def compressed_batch(size: int) -> BatchBuilder:
    """A transactional batch of at most ``size`` bytes before compression."""
    return BatchBuilder(size, DefaultRecordBatch.CODEC_GZIP, is_transactional=True)


def append_many(
    builder: BatchBuilder, keys: Sequence[bytes | None], values: Sequence[bytes], timestamps: Sequence[int]
) -> int:
    """Appends records until the batch is full; gives how many went in. The batch's own builder is in C; the public way to it costs
    more than the work."""
    append = builder._builder.append
    before: int = builder.record_count()
    number = before
    fields: Iterable[tuple[bytes | None, bytes, int]] = zip(keys, values, timestamps, strict=True)
    for key, value, timestamp in fields:
        if append(number, timestamp, key, value, _NO_HEADERS) is None:
            break
        number += 1
    builder._relative_offset = number
    return number - before


def batch_bytes(builder: BatchBuilder) -> bytes:
    """A closed batch as it is sent."""
    return bytes(builder._build())


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stops a consumer whose assignment may have changed just before.

    aiokafka's fetch routine loses a cancellation while it awaits the fetches of the assignment before, and ``stop`` would then wait for
    it for ever: so it is cancelled until it has ended.
    """
    fetcher: Any = consumer._fetcher
    routine: asyncio.Task[None] | None = fetcher._fetch_task if fetcher is not None else None
    while routine is not None and not routine.done():
        routine.cancel()
        await asyncio.wait([routine], timeout=_CANCEL_AGAIN_S)
    await consumer.stop()


async def abandon(producer: AIOKafkaProducer) -> None:
    """Ends a producer whose ``stop`` gave up while flushing: its sender would try for ever."""
    producer._sender.sender_task.cancel()
    await producer.client.close()
