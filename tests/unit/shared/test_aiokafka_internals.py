"""Each private name of aiokafka that is used, on aiokafka's own objects and without a broker: a version that moves one fails here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import NoGroupCoordinator
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from shared import aiokafka_internals as internals
from tests.patience import STEP_S
from tests.unit.unanswered import UnansweredFetches

_TP = TopicPartition("t", 0)
_NOWHERE = "127.0.0.1:1"


@contextmanager
def explained() -> Iterator[None]:
    """Says what a missing name means."""
    try:
        yield
    except (AttributeError, ImportError, TypeError) as error:
        pytest.fail(
            f"aiokafka {version('aiokafka')} has moved a private name: {error}. "
            "Adapt shared/aiokafka_internals.py, then move the upper bound in pyproject.toml."
        )


@pytest.fixture
async def consumer() -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer as after ``start``, as far as no broker is needed."""
    made = AIOKafkaConsumer(bootstrap_servers=_NOWHERE, isolation_level="read_committed", enable_auto_commit=False)
    with explained():
        made._fetcher = Fetcher(made._client, made._subscription, isolation_level="read_committed")
        made._coordinator = NoGroupCoordinator(made._client, made._subscription)
        made.assign([_TP])
        made.seek(_TP, 0)
    try:
        yield made
    finally:
        await made.stop()


def fetched(consumer: AIOKafkaConsumer, values: list[bytes]) -> None:
    """Puts a fetch into the consumer as if a broker had answered it."""
    builder = BatchBuilder(10_000, 0, is_transactional=False)
    for value in values:
        builder.append(timestamp=5, key=b"k", value=value)
    builder.close()
    assignment: Any = consumer._subscription.subscription.assignment
    records = PartitionRecords(
        _TP, MemoryRecords(internals.batch_bytes(builder)), [], 0, None, None, True, READ_COMMITTED
    )
    consumer._fetcher._records[_TP] = FetchResult(_TP, assignment=assignment, partition_records=records, backoff=0)


async def test_a_whole_fetch_is_taken_and_the_position_moves_behind_it(consumer: AIOKafkaConsumer) -> None:
    with explained():
        assert internals.take_fetched(consumer, _TP) == []
        fetched(consumer, [b"a", b"b"])
        await internals.wait_for_fetch(consumer, [_TP], 60)
        records = internals.take_fetched(consumer, _TP)
        state = internals.partition_state(consumer, _TP)
        assert [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in records] == [
            (0, 5, b"k", b"a", []),
            (1, 5, b"k", b"b", []),
        ]
        assert state.has_valid_position
        assert (state.position, state.lso, state.timestamp) == (2, None, None)
        assert internals.take_fetched(consumer, _TP) == []
        assert internals.partition_state(consumer, TopicPartition("other", 0)) is None


async def test_a_fetch_that_comes_ends_the_wait(consumer: AIOKafkaConsumer) -> None:
    with explained():
        waiting = asyncio.create_task(internals.wait_for_fetch(consumer, [_TP], 60))
        await asyncio.sleep(0)
        assert not waiting.done()
        fetched(consumer, [b"a"])
        for waiter in list(consumer._fetcher._fetch_waiters):
            consumer._fetcher._notify(waiter)
        await asyncio.wait_for(waiting, 30)


async def test_a_refused_fetch_raises(consumer: AIOKafkaConsumer) -> None:
    with explained():
        consumer._fetcher._records[_TP] = FetchError(error=TopicAuthorizationFailedError("t"), backoff=0)
        with pytest.raises(KafkaError):
            await internals.wait_for_fetch(consumer, [_TP], 60)


async def test_a_consumer_stops_although_its_assignment_changed_just_before(consumer: AIOKafkaConsumer) -> None:
    with explained():
        fetching = UnansweredFetches()
        fetching.attach(consumer)
        await asyncio.wait_for(fetching.sent.wait(), STEP_S)
        consumer.assign([TopicPartition("t", 1)])
        await asyncio.wait_for(fetching.cancelled.wait(), STEP_S)
        stopping = asyncio.create_task(internals.stop_consumer(consumer))
        # The fetcher is cancelled here, while it waits for the end of the fetch that it has cancelled itself.
        await asyncio.sleep(0)
        fetching.released.set()
        # not wait_for, whose own cancellation would end the hanging stop
        ended, _ = await asyncio.wait([stopping], timeout=STEP_S)
        assert ended, "stop waits for a fetcher that goes on"


async def test_a_consumer_stops_although_a_fetch_has_just_failed(
    consumer: AIOKafkaConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def refuse(*_: object) -> None:
        failed.set()
        raise KafkaError("no broker")

    with explained():
        monkeypatch.setattr(consumer._fetcher, "_retry_backoff", STEP_S)
        monkeypatch.setattr(consumer._client.cluster, "leader_for_partition", lambda tp: 0)
        monkeypatch.setattr(consumer._client, "send", refuse)
        await asyncio.wait_for(failed.wait(), STEP_S)
        await internals.stop_consumer(consumer)  # it would raise CancelledError


async def test_a_fetcher_that_has_ended_is_noticed_and_its_consumer_stops(
    consumer: AIOKafkaConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with explained():
        monkeypatch.setattr(consumer._fetcher, "_get_actions_per_node", lambda assignment: 1 / 0)
        await asyncio.wait([consumer._fetcher._fetch_task], timeout=STEP_S)
        with pytest.raises(KafkaError):
            await internals.wait_for_fetch(consumer, [_TP], STEP_S)
        await internals.stop_consumer(consumer)


async def test_the_wait_of_a_fetch_is_part_of_the_request(consumer: AIOKafkaConsumer) -> None:
    with explained():
        assert consumer._fetcher._fetch_max_wait_ms != 7
        internals.set_fetch_wait(consumer, 7)
        # the name is read where requests are made, not only set here
        assert "_fetch_max_wait_ms" in Fetcher._get_actions_per_node.__code__.co_names


async def test_many_records_are_appended_as_one_by_one() -> None:
    keys, values, times = [b"k", None, b"l"], [b"a", b"b", b"c" * 300], [1, 2, 3]
    with explained():
        one_by_one, together = (BatchBuilder(10_000, 0, is_transactional=True) for _ in range(2))
        for key, value, time in zip(keys, values, times, strict=True):
            one_by_one.append(timestamp=time, key=key, value=value)
        assert internals.append_many(together, keys, values, times) == 3
        assert together.record_count() == one_by_one.record_count() == 3
        for builder in (one_by_one, together):
            builder.close()
        assert internals.batch_bytes(together) == internals.batch_bytes(one_by_one)

        small = BatchBuilder(200, 0, is_transactional=True)
        assert internals.append_many(small, keys, values, times) == 2
        assert small.record_count() == 2


async def test_a_compressed_batch_holds_what_was_appended() -> None:
    with explained():
        builder = internals.compressed_batch(10_000)
        internals.append_many(builder, [b"k"] * 100, [b"same"] * 100, [1] * 100)
        builder.close()
        data = internals.batch_bytes(builder)
        batch = MemoryRecords(data).next_batch()
        assert batch is not None and batch.is_transactional
        assert [record.value for record in batch] == [b"same"] * 100
        assert len(data) < 400


async def test_an_abandoned_producer_has_no_task_left() -> None:
    producer = AIOKafkaProducer(bootstrap_servers=_NOWHERE)
    with explained():
        producer._sender._sender_task = task = asyncio.create_task(asyncio.Event().wait())
        await internals.abandon(producer)
        await asyncio.wait([task], timeout=30)
        assert task.cancelled()
        producer._closed = True
