"""The transactional producer."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from services.ksql.engine.records import Output, OutputBatch
from services.ksql.runtime.broker import BrokerError, Fenced, Follow, OffsetRange, TopicPartition
from shared.aiokafka_internals import abandon, append_many, compressed_batch
from shared.kafka import track_topics

_log = structlog.get_logger(__name__)

#: below the brokers' message.max.bytes (1 MiB), so that a batch is never refused
_BATCH_BYTES = 1000 * 1024
#: an open transaction of a dead process holds its readers back no longer than this
_TRANSACTION_MS = 60_000
#: a write that takes longer is given up: the queries restart from the last commit
_WRITE_S = 45.0
_STOP_S = 15.0
#: the broker kept the timestamps that it was given (message.timestamp.type=CreateTime)
_CREATE_TIME = 0
#: as much of a write to a compressed topic is compressed: more would block the loop for too long
_COMPRESSED_BYTES = 64 * 1024
_NO_HEADERS: list[tuple[str, bytes | None]] = []


class KafkaProducer:
    """See ``broker.Producer``. After an error it is of no use any more: stop it and start a new one."""

    def __init__(self, bootstrap: str, transactional_id: str, compressed: Collection[str] = ()) -> None:
        self._id = transactional_id
        self._compressed = frozenset(compressed)
        self._tracked: set[str] = set()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=transactional_id,
            transaction_timeout_ms=_TRANSACTION_MS,
            acks="all",
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=30_000,
        )

    async def start(self) -> None:
        try:
            async with asyncio.timeout(_WRITE_S):
                await self._producer.start()
        except (TimeoutError, KafkaError, OSError) as error:
            await self.stop()
            raise BrokerError(f"no transactional producer {self._id}: {error}") from error

    async def stop(self) -> None:
        try:
            async with asyncio.timeout(_STOP_S):
                await self._producer.stop()
        except (TimeoutError, KafkaError) as error:
            # it flushes first, which a failed transaction can make impossible
            _log.warning("the producer did not close in order", producer=self._id, error=str(error) or "not in time")
            await abandon(self._producer)

    async def write(self, records: Iterable[Output], follow: Follow | None = None) -> dict[TopicPartition, OffsetRange]:
        try:
            async with asyncio.timeout(_WRITE_S):
                return await self._write(records, follow)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(f"another server has taken over {self._id}") from error
        except TimeoutError:
            raise BrokerError(f"a transaction of {self._id} did not end within {_WRITE_S:g} s") from None
        except (KafkaError, AssertionError) as error:
            # aiokafka asserts its state machine: after a failed transaction that is as fatal as an error of the broker
            raise BrokerError(f"a transaction of {self._id} failed: {error}") from error

    def _batches(self, records: Iterable[Output]) -> dict[TopicPartition, list[BatchBuilder]]:
        batches: dict[TopicPartition, list[BatchBuilder]] = {}
        for record in records:
            if isinstance(record, OutputBatch):
                self._append_all(batches.setdefault(TopicPartition(record.topic, record.partition), []), record)
                continue
            topic, partition, key, value, timestamp, headers = record
            listed = list(headers) if headers else _NO_HEADERS
            # a plain tuple finds a TopicPartition, and making one for each record costs as much as all else here
            builders = batches.get((topic, partition))  # type: ignore[call-overload]
            if builders is None:
                builders = batches[TopicPartition(topic, partition)] = [self._first_batch(topic, len(value or b""))]
            if builders[-1].append(timestamp=timestamp, key=key, value=value, headers=listed) is None:
                builders.append(self._producer.create_batch())
                if builders[-1].append(timestamp=timestamp, key=key, value=value, headers=listed) is None:
                    raise BrokerError(f"a record for {topic} is larger than {_BATCH_BYTES} bytes")
        return batches

    def _first_batch(self, topic: str, size: int) -> BatchBuilder:
        """A batch for a record of about that size, and those after it."""
        if topic in self._compressed and size < _COMPRESSED_BYTES:
            return compressed_batch(_COMPRESSED_BYTES)
        return self._producer.create_batch()

    def _append_all(self, builders: list[BatchBuilder], batch: OutputBatch) -> None:
        """Appends the records, in a new builder wherever the last one is full."""
        if not builders:
            builders.append(self._producer.create_batch())
        done = append_many(builders[-1], batch.keys, batch.values, batch.timestamps)
        while done < len(batch.keys):
            builders.append(self._producer.create_batch())
            more = append_many(builders[-1], batch.keys[done:], batch.values[done:], batch.timestamps[done:])
            if not more:
                raise BrokerError(f"a record for {batch.topic} is larger than {_BATCH_BYTES} bytes")
            done += more

    async def _write(self, records: Iterable[Output], follow: Follow | None) -> dict[TopicPartition, OffsetRange]:
        await self._producer.begin_transaction()
        spans = first = await self._send_all(records)
        while follow is not None and (more := await follow(spans)):
            spans = await self._send_all(more)
        await self._producer.commit_transaction()
        return first

    async def _send_all(self, records: Iterable[Output]) -> dict[TopicPartition, OffsetRange]:
        batches = self._batches(records)
        if new := {tp.topic for tp in batches} - self._tracked:
            await track_topics(self._producer, new)
            self._tracked |= new
        spans = await asyncio.gather(*(self._send(tp, builders) for tp, builders in batches.items()))
        return dict(zip(batches, spans, strict=True))

    async def _send(self, tp: TopicPartition, builders: list[BatchBuilder]) -> OffsetRange:
        """The batches of one partition, in order."""
        futures = []
        for builder in builders:
            builder.close()
            futures.append(await self._producer.send_batch(builder, tp.topic, partition=tp.partition))
        metadata = [await future for future in futures]
        first, end = int(metadata[0].offset), int(metadata[-1].offset) + builders[-1].record_count()
        count = sum(builder.record_count() for builder in builders)
        return OffsetRange(first, end, end - first == count and metadata[0].timestamp_type == _CREATE_TIME)
