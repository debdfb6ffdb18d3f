"""The broker on real Kafka, over aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from services.ksql.engine.records import InputRecord, OutputRecord
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.broker import BrokerError, OffsetBounds, UnknownTopic
from services.ksql.runtime.kafka_consumer import AssignedConsumer, KafkaConsumer, committed_consumer
from services.ksql.runtime.kafka_producer import KafkaProducer

#: a config entry that was set on the topic itself
_DYNAMIC_TOPIC_CONFIG = 1
_REQUEST_MS = 10_000
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
        self._admin: AIOKafkaAdminClient | None = None
        self._producer: AIOKafkaProducer | None = None
        self._offsets: AIOKafkaConsumer | None = None
        #: reads uncommitted records too
        self._log: AIOKafkaConsumer | None = None
        self._shared = AssignedConsumer(bootstrap)

    async def start(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=_REQUEST_MS)
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True)
        offsets = committed_consumer(self._bootstrap)
        log = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        try:
            await admin.start()
            self._admin = admin
            await producer.start()
            self._producer = producer
            await offsets.start()
            self._offsets = offsets
            await log.start()
            self._log = log
        except (KafkaError, OSError) as error:
            await self.stop()
            raise BrokerError(f"Kafka at {self._bootstrap} cannot be reached: {error}") from error

    async def stop(self) -> None:
        admin, self._admin = self._admin, None
        producer, self._producer = self._producer, None
        offsets, self._offsets = self._offsets, None
        log, self._log = self._log, None
        for consumer in (offsets, log):
            if consumer is not None:
                await consumer.stop()
        if producer is not None:
            await producer.stop()
        if admin is not None:
            await admin.close()

    async def cluster_id(self) -> str:
        described = await self._call(self._admin_client.describe_cluster())
        return str(described.get("cluster_id") or "")

    async def topics(self) -> dict[str, TopicInfo]:
        described = await self._call(self._admin_client.describe_topics())
        return {t["topic"]: _topic_info(t, {}) for t in described if not t["error_code"]}

    async def topic(self, name: str) -> TopicInfo | None:
        described = await self._call(self._admin_client.describe_topics([name]))
        if not described or described[0]["error_code"]:
            return None
        responses = await self._call(
            self._admin_client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        )
        config = {}
        for response in responses:
            for resource in response.resources:
                for entry in resource[4]:
                    if entry[0] in _ALWAYS_TOLD or entry[3] == _DYNAMIC_TOPIC_CONFIG:
                        config[entry[0]] = entry[1]
        return _topic_info(described[0], config)

    async def create_topic(self, info: TopicInfo) -> None:
        replicas = info.replicas if info.replicas > 0 else min(_REPLICAS, await self._broker_count())
        topic = NewTopic(info.name, info.partitions, replicas, topic_configs=dict(info.config))
        response = await self._call(self._admin_client.create_topics([topic], timeout_ms=_REQUEST_MS))
        for name, code, *rest in response.topic_errors:
            if code:
                raise BrokerError(str(rest[0]) if rest and rest[0] else f"topic {name}: error {code}")
        await self._until(info.name, exists=True)

    async def _broker_count(self) -> int:
        return len((await self._call(self._admin_client.describe_cluster()))["brokers"])

    async def delete_topic(self, name: str) -> None:
        response = await self._call(self._admin_client.delete_topics([name], timeout_ms=_REQUEST_MS))
        for deleted, code, *_ in response.topic_error_codes:
            if code:
                raise BrokerError(f"topic {deleted} cannot be deleted: error {code}")
        await self._until(name, exists=False)

    async def _until(self, name: str, *, exists: bool) -> None:
        try:
            async with asyncio.timeout(_CALL_S):
                while True:
                    described = await self._admin_client.describe_topics([name])
                    found = described and not described[0]["error_code"]
                    led = found and all(p["leader"] >= 0 for p in described[0]["partitions"])
                    if (exists and led) or (not exists and not found):
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise BrokerError(f"the brokers did not agree on topic {name} in time") from None

    async def bounds(self, topic: str) -> dict[int, OffsetBounds]:
        if self._offsets is None:
            raise BrokerError("not connected")
        described = await self._call(self._admin_client.describe_topics([topic]))
        if not described or described[0]["error_code"]:
            raise UnknownTopic(f"Topic '{topic}' does not exist.")
        tps = [TopicPartition(topic, p["partition"]) for p in described[0]["partitions"]]
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

    @property
    def _admin_client(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            raise BrokerError("not connected")
        return self._admin

    async def _call(self, call: Awaitable[Any]) -> Any:
        """Awaits a call of a client under a deadline; its errors become ours."""
        try:
            async with asyncio.timeout(_CALL_S):
                return await call
        except TimeoutError:
            raise BrokerError(f"Kafka at {self._bootstrap} did not answer within {_CALL_S:g} s") from None
        except KafkaError as error:
            raise BrokerError(str(error)) from error


def _topic_info(described: Mapping[str, Any], config: Mapping[str, str]) -> TopicInfo:
    partitions = described["partitions"]
    replicas = len(partitions[0]["replicas"]) if partitions else 0
    return TopicInfo(described["topic"], len(partitions), replicas, config)
