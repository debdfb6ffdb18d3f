"""The broker on real Kafka, over aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from services.ksql.engine.records import InputRecord, OutputRecord
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.broker import BrokerError, OffsetBounds, UnknownTopic
from services.ksql.runtime.kafka_consumer import AssignedConsumer, KafkaConsumer, committed_consumer
from services.ksql.runtime.kafka_producer import KafkaProducer
from shared.errors import PagePulseError
from shared.kafka_admin import KafkaAdmin, Partition

_CALL_S = 15.0
#: a topic that is read whole has brought nothing for so long: the read is given up
_READ_S = 60.0
#: replicas of a topic without a number of its own, where there are so many brokers
_REPLICAS = 3
#: configuration of a topic that matters here, besides what was set on the topic itself
_ALWAYS_TOLD = frozenset({"retention.ms", "cleanup.policy"})


class KafkaBroker:
    """See ``broker.Broker``. Consumers and writers have clients of their own."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = KafkaAdmin(bootstrap, timeout=timedelta(seconds=_CALL_S))
        self._producer: AIOKafkaProducer | None = None
        self._offsets: AIOKafkaConsumer | None = None
        #: reads uncommitted records too
        self._log: AIOKafkaConsumer | None = None
        self._shared = AssignedConsumer(bootstrap)

    async def start(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True)
        offsets = committed_consumer(self._bootstrap)
        log = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        try:
            await self._admin.cluster()
            await producer.start()
            self._producer = producer
            await offsets.start()
            self._offsets = offsets
            await log.start()
            self._log = log
        except (KafkaError, OSError, PagePulseError) as error:
            await self.stop()
            raise BrokerError(f"Kafka at {self._bootstrap} cannot be reached: {error}") from error

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        offsets, self._offsets = self._offsets, None
        log, self._log = self._log, None
        for consumer in (offsets, log):
            if consumer is not None:
                await consumer.stop()
        if producer is not None:
            await producer.stop()
        await self._admin.aclose()

    async def cluster_id(self) -> str:
        with _translated():
            return (await self._admin.cluster()).id

    async def topics(self) -> dict[str, TopicInfo]:
        with _translated():
            described = await self._admin.describe()
        return {name: _topic_info(name, partitions, {}) for name, partitions in described.items()}

    async def topic(self, name: str) -> TopicInfo | None:
        with _translated():
            described = (await self._admin.describe([name])).get(name)
            if described is None:
                return None
            entries = (await self._admin.configs([name])).get(name, {})
        config = {key: entry.value for key, entry in entries.items() if key in _ALWAYS_TOLD or entry.on_topic}
        return _topic_info(name, described, config)

    async def create_topic(self, info: TopicInfo) -> None:
        with _translated():
            replicas = info.replicas if info.replicas > 0 else min(_REPLICAS, (await self._admin.cluster()).brokers)
            await self._admin.create(info.name, info.partitions, replicas, info.config)
        await self._until(info.name, exists=True)

    async def delete_topic(self, name: str) -> None:
        with _translated():
            await self._admin.delete([name])
        await self._until(name, exists=False)

    async def _until(self, name: str, *, exists: bool) -> None:
        try:
            async with asyncio.timeout(_CALL_S):
                while True:
                    with _translated():
                        found = (await self._admin.describe([name])).get(name)
                    led = found is not None and all(partition.leader >= 0 for partition in found.values())
                    if (exists and led) or (not exists and found is None):
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise BrokerError(f"the brokers did not agree on topic {name} in time") from None

    async def bounds(self, topic: str) -> dict[int, OffsetBounds]:
        if self._offsets is None:
            raise BrokerError("not connected")
        with _translated():
            described = (await self._admin.describe([topic])).get(topic)
        if described is None:
            raise UnknownTopic(f"Topic '{topic}' does not exist.")
        tps = [TopicPartition(topic, partition) for partition in described]
        starts = await self._call(self._offsets.beginning_offsets(tps))
        ends = await self._call(self._offsets.end_offsets(tps))
        return {tp.partition: OffsetBounds(starts[tp], ends[tp]) for tp in tps}

    def consumer(self, topic: str, positions: Mapping[int, int], *, shared: bool = False) -> KafkaConsumer:
        return KafkaConsumer(self._bootstrap, topic, positions, self._log_ends, self._shared if shared else None)

    def producer(self, transactional_id: str, compressed: Collection[str] = ()) -> KafkaProducer:
        return KafkaProducer(self._bootstrap, transactional_id, compressed)

    async def send(self, record: OutputRecord) -> None:
        if self._producer is None:
            raise BrokerError("not connected")
        await self._call(
            self._producer.send_and_wait(
                record.topic,
                record.value,
                record.key,
                record.partition,
                record.timestamp,
                list(record.headers),
            )
        )

    async def read_all(self, topic: str) -> AsyncIterator[list[InputRecord]]:
        bounds = await self.bounds(topic)
        consumer = self.consumer(topic, {p: b.start for p, b in bounds.items()})
        await consumer.start()
        try:
            # Ends are those of the log itself, markers included: an open transaction of a dead producer was completed or aborted before.
            remaining = {p for p, b in bounds.items() if b.end > b.start}
            progressed = monotonic()
            while remaining:
                polled = await consumer.poll(remaining, timeout_ms=100)
                if polled:
                    progressed = monotonic()
                elif monotonic() - progressed > _READ_S:
                    raise BrokerError(
                        f"topic {topic}: no records of the partitions {sorted(remaining)} for {_READ_S:g} s"
                    )
                for records in polled.values():
                    yield list(records.records())
                remaining = {p for p in remaining if consumer.position(p) < bounds[p].end}
        finally:
            await consumer.stop()

    async def _log_ends(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self._log is None:
            raise BrokerError("not connected")
        ends: dict[TopicPartition, int] = await self._call(self._log.end_offsets(tps))
        return ends

    async def _call(self, call: Awaitable[Any]) -> Any:
        """Awaits a call of a client under a deadline; its errors become ours."""
        try:
            async with asyncio.timeout(_CALL_S):
                return await call
        except TimeoutError:
            raise BrokerError(f"Kafka at {self._bootstrap} did not answer within {_CALL_S:g} s") from None
        except KafkaError as error:
            raise BrokerError(str(error)) from error


@contextmanager
def _translated() -> Iterator[None]:
    """Raises the admin client's errors as ours, with the brokers' own words where they refused."""
    try:
        yield
    except PagePulseError as error:
        raise BrokerError(str(error.extra.get("reason", error.detail))) from error


def _topic_info(name: str, partitions: Mapping[int, Partition], config: Mapping[str, str]) -> TopicInfo:
    replicas = next((partition.replicas for partition in partitions.values()), 0)
    return TopicInfo(name, len(partitions), replicas, config)
