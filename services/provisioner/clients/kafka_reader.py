"""Reading topics: their bounds, their ends, and all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta

from aiokafka import ConsumerRecord, TopicPartition

from services.provisioner.clients.coalescing import Coalescer
from services.provisioner.clients.kafka_connection import KafkaConnection
from shared.errors import DeadlineExceeded


class TopicReader(KafkaConnection):
    """Reads committed records, without a consumer group."""

    def __init__(self, bootstrap: str, *, timeout: timedelta, patience: timedelta, poll_interval: timedelta) -> None:
        super().__init__(bootstrap, timeout=timeout, patience=patience, poll_interval=poll_interval)
        self._ends = Coalescer(self._end_offsets)

    async def end_offsets(self, topics: Iterable[str]) -> dict[str, dict[int, int]]:
        """By topic and partition: one past the last record that a reader of committed records may see."""
        names = list(topics)
        found = await asyncio.gather(*map(self._ends.get, names))
        return {name: offsets for name, offsets in zip(names, found, strict=True) if offsets}

    async def _end_offsets(self, topics: set[str]) -> dict[str, dict[int, int]]:
        described = await self.with_admin(lambda admin: admin.describe_topics(sorted(topics)))
        partitions = [
            TopicPartition(topic["topic"], entry["partition"])
            for topic in described
            if not topic["error_code"]
            for entry in topic["partitions"]
        ]
        found: dict[str, dict[int, int]] = {}
        if partitions:
            async with self.deadline("read the ends of topics"):
                reader = await self.lookup()
                for partition, offset in (await reader.end_offsets(partitions)).items():
                    found.setdefault(partition.topic, {})[partition.partition] = offset
        return found

    async def begin_offsets(self, topic: str) -> dict[int, int]:
        """By partition: the first record that retention has left."""
        partitions = [TopicPartition(topic, p) for p in (await self.end_offsets([topic])).get(topic, {})]
        if not partitions:
            return {}
        async with self.deadline(f"read the beginning of {topic}"):
            reader = await self.lookup()
            return {p.partition: offset for p, offset in (await reader.beginning_offsets(partitions)).items()}

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
        async with self.deadline(f"read the end of {topic}"), self.consumer() as consumer:
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
