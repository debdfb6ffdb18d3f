"""What the transactional producer makes of records, before any broker sees it."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from services.ksql.engine.records import OutputRecord
from services.ksql.runtime import kafka_producer
from services.ksql.runtime.broker import TopicPartition
from services.ksql.runtime.kafka_producer import KafkaProducer
from shared.aiokafka_internals import batch_bytes
from tests.patience import STEP_S


def read(builders: list[BatchBuilder]) -> list[tuple[bytes | None, bytes | None]]:
    found = []
    for builder in builders:
        builder.close()
        records = MemoryRecords(batch_bytes(builder))
        while (batch := records.next_batch()) is not None:
            assert batch.is_transactional
            found += [(record.key, record.value) for record in batch]
    return found


async def test_a_compressed_topic_is_smaller_and_says_the_same() -> None:
    # more than is compressed of one write, and a record that is too large for it
    values = [b"[1732797723000,%d]" % number * 20 for number in range(1_000)]
    values.insert(500, b"x" * 200_000)
    sizes = {}
    for topic in ("plain", "small"):
        producer = KafkaProducer("127.0.0.1:1", "writer", compressed=("small",))
        producer._producer._txn_manager.transactional_id = "writer"
        batches = producer._batches([OutputRecord(topic, 0, b"%d" % i, value, 1) for i, value in enumerate(values)])
        assert read(batches[TopicPartition(topic, 0)]) == [(b"%d" % i, value) for i, value in enumerate(values)]
        sizes[topic] = sum(builder.size() for builder in batches[TopicPartition(topic, 0)])
        await producer.stop()
    assert sizes["small"] < sizes["plain"] - 50_000


async def test_a_producer_that_cannot_flush_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_producer, "_STOP_S", 0.01)
    writer = KafkaProducer("127.0.0.1:1", "writer")
    sender = writer._producer._sender._sender_task = asyncio.create_task(asyncio.Event().wait())
    monkeypatch.setattr(writer._producer._message_accumulator, "close", asyncio.Event().wait)
    stopping = asyncio.create_task(writer.stop())
    ended, _ = await asyncio.wait([stopping], timeout=STEP_S)
    assert ended, "it waits for a flush that cannot be"
    await asyncio.wait([sender], timeout=STEP_S)
    assert sender.cancelled()
