"""Kafka as the provisioner uses it: topics over the admin protocol, and the committed records of topics without a consumer group.

Connections are opened at the first use and kept; after a failure the next call opens new ones, so brokers may be unavailable at any time.
Every call has a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from services.provisioner.clients.coalescing import Coalescer
from services.provisioner.clients.polling import wait_until
from shared.aiokafka_internals import stop_consumer
from shared.errors import DeadlineExceeded
from shared.kafka import open_consumer, unavailable
from shared.kafka_admin import KafkaAdmin


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
        self._admin = KafkaAdmin(bootstrap, timeout=timeout)
        self._lookup: AIOKafkaConsumer | None = None
        self._opening = asyncio.Lock()
        self._descriptions = Coalescer(self._describe)
        self._ends = Coalescer(self._end_offsets)

    async def aclose(self) -> None:
        await self._admin.aclose()
        await self._close_lookup()

    async def _close_lookup(self) -> None:
        lookup, self._lookup = self._lookup, None
        if lookup is not None:
            await lookup.stop()

    async def ping(self) -> None:
        """Raises Unavailable if no broker answers."""
        await self._admin.cluster()

    async def topics(self) -> set[str]:
        """Names of all topics."""
        return await self._admin.topics()

    async def describe(self, name: str) -> TopicState | None:
        """The topic, or None if there is none."""
        return await self._descriptions.get(name)

    async def _describe(self, names: set[str]) -> dict[str, TopicState]:
        described = {name: entries for name, entries in (await self._admin.describe(names)).items() if entries}
        configs = await self._admin.configs(sorted(described))
        return {
            name: TopicState(
                name=name,
                partitions=len(entries),
                replication_factor=min(entry.replicas for entry in entries.values()),
                under_replicated=sum(entry.in_sync < entry.replicas for entry in entries.values()),
                config={key: entry.value for key, entry in configs.get(name, {}).items() if entry.on_topic},
            )
            for name, entries in described.items()
        }

    async def create(self, name: str, partitions: int, replication_factor: int, config: dict[str, str]) -> None:
        """Makes the topic and waits until it can be seen. One that exists is left as it is.

        Raises:
            TransientUpstreamError: too few brokers have joined yet, or a controller is being elected.
            UpstreamError: the brokers refuse.
        """
        await self._admin.create(name, partitions, replication_factor, config, exist_ok=True)

        async def poll() -> str | None:
            state = await self.describe(name)
            return None if state and state.partitions >= partitions else "it is not in the metadata yet"

        await wait_until(poll, what=f"topic {name} is not there", within=self._patience, every=self._poll)

    async def set_config(self, name: str, config: dict[str, str]) -> None:
        """Sets ``config`` on top of what is set on the topic."""
        await self._admin.set_config(name, config)

    async def delete(self, names: Iterable[str]) -> None:
        """Deletes topics and waits until they are gone; those that do not exist are fine."""
        wanted = sorted(set(names) & await self.topics())
        if not wanted:
            return
        await self._admin.delete(wanted, missing_ok=True)

        async def poll() -> str | None:
            left = sorted(set(wanted) & await self.topics())
            return f"{', '.join(left)} still listed" if left else None

        await wait_until(poll, what="topics are not gone", within=self._patience, every=self._poll)

    async def end_offsets(self, topics: Iterable[str]) -> dict[str, dict[int, int]]:
        """By topic and partition: one past the last record that a reader of committed records may see."""
        names = list(topics)
        found = await asyncio.gather(*map(self._ends.get, names))
        return {name: offsets for name, offsets in zip(names, found, strict=True) if offsets}

    async def _end_offsets(self, topics: set[str]) -> dict[str, dict[int, int]]:
        described = await self._admin.describe(topics)
        partitions = [TopicPartition(name, partition) for name, entries in described.items() for partition in entries]
        found: dict[str, dict[int, int]] = {}
        if partitions:
            async with self._deadline("read the ends of topics"):
                reader = await self._lookup_consumer()
                for partition, offset in (await reader.end_offsets(partitions)).items():
                    found.setdefault(partition.topic, {})[partition.partition] = offset
        return found

    async def begin_offsets(self, topic: str) -> dict[int, int]:
        """By partition: the first record that retention has left."""
        partitions = [TopicPartition(topic, p) for p in (await self.end_offsets([topic])).get(topic, {})]
        if not partitions:
            return {}
        async with self._deadline(f"read the beginning of {topic}"):
            reader = await self._lookup_consumer()
            return {p.partition: offset for p, offset in (await reader.beginning_offsets(partitions)).items()}

    async def offsets_for_time(self, topic: str, at_ms: int, partitions: Collection[int]) -> dict[int, int]:
        """By partition: the first record that is not older than ``at_ms`` (epoch ms); none for a partition without one."""
        async with self._deadline(f"look up a time in {topic}"):
            reader = await self._lookup_consumer()
            found = await reader.offsets_for_times({TopicPartition(topic, p): at_ms for p in partitions})
        return {p.partition: place.offset for p, place in found.items() if place is not None}

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
        async with self._consumer(max_partition_fetch_bytes=4 << 20) as consumer:
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
                # A position beyond the last record: in between is a transaction's marker or was compacted away.
                for partition in [p for p, end in todo.items() if await consumer.position(p) >= end]:
                    del todo[partition]
                    consumer.pause(partition)
                if loop.time() > deadline:
                    raise DeadlineExceeded(
                        f"Kafka at {self.bootstrap} sent nothing of {topic} in time", service="kafka"
                    )

    async def tail(self, topic: str, rows: int) -> list[ConsumerRecord[bytes, bytes]]:
        """The newest records, at most ``rows``, newest last; by timestamp across partitions."""
        async with self._deadline(f"read the end of {topic}"), self._consumer() as consumer:
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
    async def _consumer(self, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = await open_consumer(self.bootstrap, **options)
        try:
            yield consumer
        finally:
            await stop_consumer(consumer)

    async def _lookup_consumer(self) -> AIOKafkaConsumer:
        """A consumer that only looks offsets up; opening one each time would cost a connection to every broker."""
        async with self._opening:
            if self._lookup is None:
                self._lookup = await open_consumer(self.bootstrap)
            return self._lookup

    @asynccontextmanager
    async def _deadline(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"Kafka at {self.bootstrap}: could not {what} in time", service="kafka") from error
        except (KafkaError, OSError) as error:
            await self._close_lookup()
            raise unavailable(self.bootstrap, error) from error
