"""Kafka's admin protocol, and short reads of topics.

The admin connection is opened at the first use and kept; after a failure the next call opens a new one, so brokers may be away at
any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from services.provisioner.clients.polling import wait_until
from services.provisioner.errors import TransientUpstreamError
from shared.errors import DeadlineExceeded, PagePulseError, Unavailable, UpstreamError
from shared.kafka import end_offsets

T = TypeVar("T")

#: codes of Kafka's protocol that mean "as you wished already"
_TOPIC_EXISTS, _UNKNOWN_TOPIC = 36, 3

#: codes that pass: no leader or controller yet, too few replicas in sync, brokers still registering
_PASSING = frozenset({5, 6, 7, 19, 38, 41})

#: a configuration entry that was set on the topic itself
_SET_ON_TOPIC = 1


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the brokers have it; ``config`` holds only what was set on the topic itself."""

    name: str
    partitions: int
    replication_factor: int
    under_replicated: int
    config: dict[str, str] = field(default_factory=dict)


class KafkaClient:
    """Talks to one Kafka cluster."""

    def __init__(self, bootstrap: str, *, timeout: timedelta, patience: timedelta, poll_interval: timedelta) -> None:
        self.bootstrap = bootstrap
        self._timeout = timeout
        self._patience = patience
        self._poll = poll_interval
        self._admin: AIOKafkaAdminClient | None = None
        self._opening = asyncio.Lock()

    async def aclose(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    async def ping(self) -> None:
        """Raises Unavailable if no broker answers."""
        await self._with_admin(lambda admin: admin.describe_cluster())

    async def topics(self) -> set[str]:
        """Names of all topics."""
        return set(await self._with_admin(lambda admin: admin.list_topics()))

    async def describe(self, name: str) -> TopicState | None:
        """The topic, or None if there is none."""
        described = await self._with_admin(lambda admin: admin.describe_topics([name]))
        partitions = [entry for topic in described if not topic["error_code"] for entry in topic["partitions"]]
        if not partitions:
            return None
        return TopicState(
            name=name,
            partitions=len(partitions),
            replication_factor=min(len(entry["replicas"]) for entry in partitions),
            under_replicated=sum(len(entry["isr"]) < len(entry["replicas"]) for entry in partitions),
            config=await self._config(name),
        )

    async def create(self, name: str, partitions: int, replication_factor: int, config: dict[str, str]) -> None:
        """Makes the topic and waits until it can be seen. One that exists is left as it is.

        Raises:
            TransientUpstreamError: too few brokers have joined yet, or a controller is being elected.
            UpstreamError: the brokers refuse.
        """
        topic = NewTopic(name, partitions, replication_factor, topic_configs=config)
        response = await self._with_admin(lambda admin: admin.create_topics([topic]))
        for _, code, *rest in response.topic_errors:
            _check(code, f"topic {name} cannot be made", rest, fine=_TOPIC_EXISTS)

        async def look() -> str | None:
            state = await self.describe(name)
            return None if state and state.partitions >= partitions else "it is not in the metadata yet"

        await wait_until(look, what=f"topic {name} is not there", within=self._patience, every=self._poll)

    async def set_config(self, name: str, config: dict[str, str]) -> None:
        """Sets ``config`` on top of what is set on the topic (the request replaces everything, so both are sent)."""
        merged = {**await self._config(name), **config}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=merged)
        for response in await self._with_admin(lambda admin: admin.alter_configs([resource])):
            for code, message, *_ in response.resources:
                _check(code, f"settings of topic {name} cannot be changed", [message])

    async def delete(self, names: Iterable[str]) -> None:
        """Deletes topics and waits until they are gone; those that do not exist are fine."""
        wanted = sorted(set(names) & await self.topics())
        if not wanted:
            return
        response = await self._with_admin(lambda admin: admin.delete_topics(wanted))
        for topic, code in response.topic_error_codes:
            _check(code, f"topic {topic} cannot be deleted", [], fine=_UNKNOWN_TOPIC)

        async def look() -> str | None:
            left = sorted(set(wanted) & await self.topics())
            return f"{', '.join(left)} still listed" if left else None

        await wait_until(look, what="topics are not gone", within=self._patience, every=self._poll)

    async def end_offsets(self, topics: Iterable[str], *, committed: bool = True) -> dict[str, dict[int, int]]:
        """By topic and partition: one past the last record that a reader may see."""
        found: dict[str, dict[int, int]] = {}
        async with self._deadline("read the ends of topics"):
            for partition, offset in (await end_offsets(self.bootstrap, topics, committed=committed)).items():
                found.setdefault(partition.topic, {})[partition.partition] = offset
        return found

    async def begin_offsets(self, topic: str) -> dict[int, int]:
        """By partition: the first record that retention and compaction have left."""
        async with self._deadline(f"read the beginning of {topic}"), self.consumer() as consumer:
            partitions = [TopicPartition(topic, p) for p in (await self.end_offsets([topic])).get(topic, {})]
            if not partitions:
                return {}
            return {p.partition: offset for p, offset in (await consumer.beginning_offsets(partitions)).items()}

    async def read(
        self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], stall: timedelta
    ) -> AsyncIterator[list[ConsumerRecord[bytes, bytes]]]:
        """Batches of the committed records in [start, end) of each partition, in order within a partition.

        Raises:
            DeadlineExceeded: nothing came for ``stall``.
        """
        todo = {TopicPartition(topic, p): end for p, end in ends.items() if starts.get(p, 0) < end}
        if not todo:
            return
        async with self.consumer(max_partition_fetch_bytes=4 << 20) as consumer:
            consumer.assign(list(todo))
            for partition in todo:
                consumer.seek(partition, starts.get(partition.partition, 0))
            loop = asyncio.get_running_loop()
            deadline = loop.time() + stall.total_seconds()
            while todo:
                batches = await consumer.getmany(timeout_ms=250, max_records=5_000)
                for partition, records in batches.items():
                    deadline = loop.time() + stall.total_seconds()
                    wanted = [record for record in records if record.offset < todo.get(partition, 0)]
                    if wanted:
                        yield wanted
                # A position beyond the last record: what lies between is a transaction's marker or was compacted away.
                for partition in [p for p, end in todo.items() if await consumer.position(p) >= end]:
                    del todo[partition]
                    consumer.pause(partition)
                if loop.time() > deadline:
                    raise DeadlineExceeded(
                        f"Kafka at {self.bootstrap} sent nothing of {topic} in time", service="kafka"
                    )

    async def tail(self, topic: str, rows: int) -> list[ConsumerRecord[bytes, bytes]]:
        """The newest records, at most ``rows``, newest last; by timestamp across partitions."""
        async with self._deadline(f"read the end of {topic}"), self.consumer() as consumer:
            ends = await self.end_offsets([topic])
            partitions = [TopicPartition(topic, p) for p in ends.get(topic, {})]
            if not partitions:
                return []
            begins = await consumer.beginning_offsets(partitions)
            # A transaction's marker takes an offset too, so look a little further back than the rows asked for.
            starts = {p: max(begins[p], ends[topic][p.partition] - rows - 10 * rows) for p in partitions}
            pending = {p for p in partitions if starts[p] < ends[topic][p.partition]}
            consumer.assign(partitions)
            for partition in partitions:
                consumer.seek(partition, starts[partition])
            records: list[ConsumerRecord[bytes, bytes]] = []
            while pending:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records.extend(batch)
                pending = {p for p in pending if await consumer.position(p) < ends[topic][p.partition]}
        return sorted(records, key=lambda record: (record.timestamp, record.offset))[-rows:]

    @asynccontextmanager
    async def consumer(self, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer without a group that sees committed records only."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **options,
        )
        try:
            await consumer.start()
        except KafkaError as error:
            await consumer.stop()
            raise self._away(error) from error
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def _config(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        found: dict[str, str] = {}
        for response in await self._with_admin(lambda admin: admin.describe_configs([resource])):
            for _, _, _, _, entries in response.resources:
                found.update({entry[0]: str(entry[1]) for entry in entries if entry[3] == _SET_ON_TOPIC})
        return found

    async def _with_admin(self, use: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
        async with self._deadline("talk to Kafka"):
            admin = await self._open()
            try:
                return await use(admin)
            except (KafkaError, OSError) as error:
                await self.aclose()
                raise self._away(error) from error

    async def _open(self) -> AIOKafkaAdminClient:
        async with self._opening:
            if self._admin is None:
                admin = AIOKafkaAdminClient(
                    bootstrap_servers=self.bootstrap, request_timeout_ms=int(self._timeout.total_seconds() * 1000)
                )
                try:
                    await admin.start()
                except (KafkaError, OSError) as error:
                    await admin.close()
                    raise self._away(error) from error
                self._admin = admin
            return self._admin

    @asynccontextmanager
    async def _deadline(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"Kafka at {self.bootstrap}: could not {what} in time", service="kafka") from error
        except PagePulseError:
            raise
        except KafkaError as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> Unavailable:
        reason = str(error) or type(error).__name__
        return Unavailable(f"Kafka at {self.bootstrap} cannot be reached: {reason}", service="kafka")


def _check(code: int, what: str, message: Sequence[Any], *, fine: int = 0) -> None:
    """Raises for every code but success and ``fine``."""
    if code in (0, fine):
        return
    kind = TransientUpstreamError if code in _PASSING else UpstreamError
    reason = next((str(text) for text in message if text), for_code(code).__name__)
    raise kind(f"Kafka: {what}: {reason}", service="kafka", error_code=code)
