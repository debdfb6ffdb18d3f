"""The private names of aiokafka that PagePulse uses, all in one place.

aiokafka has no public way to take a whole fetch, to learn a last stable offset without a request, to append records to a batch without
two objects for each, to stop a consumer whose assignment has just changed, or to give up a producer whose broker is gone.
``tests/unit/shared/test_aiokafka_internals.py`` uses each of these
functions on aiokafka's own objects, so that a version that moves a name fails there; ``pyproject.toml`` bounds the version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

_NO_HEADERS: list[tuple[str, bytes | None]] = []
#: a task that goes on although it was cancelled is cancelled again after so long
_CANCEL_AGAIN_S = 0.05


async def all_metadata(consumer: AIOKafkaConsumer) -> Any:
    """The metadata of all topics, as the brokers have it now."""
    return await consumer._client.fetch_all_metadata()


def is_fetching(consumer: AIOKafkaConsumer) -> bool:
    """Whether a started consumer still fetches: its fetcher ends by an error that aiokafka did not expect, and nothing else shows it."""
    return not consumer._fetcher._fetch_task.done()


async def wait_for_fetch(consumer: AIOKafkaConsumer, tps: Collection[TopicPartition], timeout_s: float) -> None:
    """Returns as soon as something of these assigned partitions was fetched, or at the end of the time.

    Raises:
        KafkaError: the broker has refused a fetch, or the consumer fetches no more.
    """
    fetcher: Any = consumer._fetcher
    if not is_fetching(consumer):
        raise KafkaError("the consumer fetches no more")
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


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """``consumer.stop()`` that ends, however short before the assignment changed or a fetch failed.

    aiokafka cancels its fetcher once and waits for its end. A fetcher that is just then cancelling the fetches of an earlier assignment
    takes the cancellation for theirs and goes on: ``stop`` never returns. Of a fetch that waits after a failure ``stop`` raises
    ``CancelledError``, as if its caller had been cancelled; of a fetcher that failed it raises the error, and closes nothing.
    """
    fetcher: Any = consumer._fetcher
    try:
        if fetcher is not None:  # None: it has not been started
            await _end({fetcher._fetch_task})
            await _end(fetcher._pending_tasks)
            fetcher._pending_tasks.clear()
    finally:
        try:
            await consumer.stop()
        except KafkaError:
            await consumer._client.close()


async def _end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels tasks until they have ended."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=_CANCEL_AGAIN_S)


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


async def abandon(producer: AIOKafkaProducer) -> None:
    """Ends a producer whose ``stop`` gave up while flushing: its sender would try for ever."""
    if producer._sender.sender_task is not None:  # None: it has not been started
        producer._sender.sender_task.cancel()
    await producer.client.close()
