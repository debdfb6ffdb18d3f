"""A broker in memory, for tests: topics, transactions with their markers, and failures on demand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from services.ksql.engine.chunk import Chunk
from services.ksql.engine.records import InputRecord, Output, OutputBatch, OutputRecord
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.broker import (
    BrokerError,
    Fenced,
    Follow,
    OffsetBounds,
    OffsetRange,
    TopicPartition,
    UnknownTopic,
)
from shared.partitioner import partition_for

_POLL = 1000


@dataclass
class _Log:
    """One partition. ``records`` may have gaps in their offsets: where transaction markers lie.

    ``open`` is where a transaction that has not ended begins: from there on nothing can be read.
    """

    records: list[InputRecord] = field(default_factory=list)
    end: int = 0
    open: int | None = None

    @property
    def stable(self) -> int:
        return self.end if self.open is None else self.open

    def readable(self) -> list[InputRecord]:
        return self.records if self.open is None else [r for r in self.records if r.offset < self.stable]


class MemoryBroker:
    """Behaves like ``KafkaBroker`` for one process; ``fail_next_write`` makes a transaction fail before or after it took effect."""

    def __init__(self, *, brokers: int = 1, default_config: Mapping[str, str] | None = None) -> None:
        self.brokers = brokers
        #: how often each topic was polled
        self.polls: dict[str, int] = {}
        self.default_config = dict(default_config or {})
        self.fail_next_write: str | None = None
        #: transactions with records for these topics wait for the event before they write anything
        self.held: dict[str, asyncio.Event] = {}
        self._topics: dict[str, TopicInfo] = {}
        self._logs: dict[TopicPartition, _Log] = {}
        self._owners: dict[str, object] = {}

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    async def cluster_id(self) -> str:
        return "memory"

    async def topics(self) -> dict[str, TopicInfo]:
        return {name: TopicInfo(name, info.partitions, info.replicas) for name, info in self._topics.items()}

    async def topic(self, name: str) -> TopicInfo | None:
        return self._topics.get(name)

    async def create_topic(self, info: TopicInfo) -> None:
        replicas = info.replicas if info.replicas > 0 else min(3, self.brokers)
        if replicas > self.brokers:
            raise BrokerError(
                f"Unable to replicate the partition {replicas} time(s): The target replication\n\tfactor of {replicas} "
                f"cannot be reached because only {self.brokers} broker(s) are registered."
            )
        if info.name in self._topics:
            raise BrokerError(f"Topic '{info.name}' already exists.")
        config = {**self.default_config, **info.config}
        self._topics[info.name] = TopicInfo(info.name, info.partitions, replicas, config)
        for partition in range(info.partitions):
            self._logs[TopicPartition(info.name, partition)] = _Log()

    async def delete_topic(self, name: str) -> None:
        info = self._topics.pop(name, None)
        for partition in range(info.partitions if info else 0):
            del self._logs[TopicPartition(name, partition)]

    async def bounds(self, topic: str) -> dict[int, OffsetBounds]:
        if topic not in self._topics:
            raise UnknownTopic(f"Topic '{topic}' does not exist.")
        return {tp.partition: OffsetBounds(0, log.stable) for tp, log in self._logs.items() if tp.topic == topic}

    def consumer(self, topic: str, positions: Mapping[int, int], *, shared: bool = False) -> MemoryConsumer:
        return MemoryConsumer(self, topic, positions)

    def producer(self, transactional_id: str, compressed: Collection[str] = ()) -> MemoryProducer:
        return MemoryProducer(self, transactional_id)

    async def send(self, record: OutputRecord) -> None:
        self.append(record)

    async def read_all(self, topic: str) -> AsyncIterator[list[InputRecord]]:
        for partition in range(self._topics[topic].partitions):
            yield list(self._logs[TopicPartition(topic, partition)].readable())

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp: int | None = None,
        partition: int | None = None,
    ) -> None:
        """Appends a record as a client would, by its key where ``partition`` is not given."""
        if partition is None:
            partition = partition_for(key, self._topics[topic].partitions) if key is not None else 0
        now_ms = int(time.time() * 1000)
        self.append(OutputRecord(topic, partition, key, value, now_ms if timestamp is None else timestamp))

    def append(self, record: OutputRecord) -> int:
        log = self.log(TopicPartition(record.topic, record.partition))
        log.records.append(
            InputRecord(
                record.topic,
                record.partition,
                log.end,
                record.timestamp,
                record.key,
                record.value,
                tuple(record.headers),
            )
        )
        log.end += 1
        return log.end - 1

    def log(self, tp: TopicPartition) -> _Log:
        try:
            return self._logs[tp]
        except KeyError:
            raise BrokerError(f"unknown topic or partition: {tp.topic}-{tp.partition}") from None

    def records(self, topic: str) -> list[InputRecord]:
        """What a reader of committed records sees, partition by partition."""
        return [r for tp, log in self._logs.items() if tp.topic == topic for r in log.readable()]


class MemoryConsumer:
    def __init__(self, broker: MemoryBroker, topic: str, positions: Mapping[int, int]) -> None:
        self._broker = broker
        self._topic = topic
        self._positions = dict(positions)
        self._ends: dict[int, int] = {}

    async def start(self) -> None:
        self._broker.polls.setdefault(self._topic, 0)
        self._ends = {p: self._broker.log(TopicPartition(self._topic, p)).end for p in self._positions}

    async def stop(self) -> None:
        return None

    async def poll(self, partitions: Collection[int], *, timeout_ms: int) -> dict[int, Chunk]:
        self._broker.polls[self._topic] += 1
        polled = {}
        for partition in partitions:
            log = self._broker.log(TopicPartition(self._topic, partition))
            position = self._positions[partition]
            there = log.readable()
            records = [r for r in there if r.offset >= position][:_POLL]
            complete = not records or records[-1] is there[-1]
            self._positions[partition] = log.stable if complete else records[-1].offset + 1
            if records:
                polled[partition] = Chunk.of(records)
        return polled

    def skip(self, partition: int, offset: int) -> None:
        self._positions[partition] = offset

    def position(self, partition: int) -> int:
        return self._positions[partition]

    def checked_ms(self, partition: int) -> int:
        return int(time.time() * 1000)

    def end(self, partition: int) -> int:
        return max(self._ends[partition], self._broker.log(TopicPartition(self._topic, partition)).stable)


class MemoryProducer:
    def __init__(self, broker: MemoryBroker, transactional_id: str) -> None:
        self._broker = broker
        self._id = transactional_id

    async def start(self) -> None:
        self._broker._owners[self._id] = self

    async def stop(self) -> None:
        return None

    async def write(self, records: Iterable[Output], follow: Follow | None = None) -> dict[TopicPartition, OffsetRange]:
        if self._broker._owners.get(self._id) is not self:
            raise Fenced(f"a newer producer owns {self._id}")
        failure, self._broker.fail_next_write = self._broker.fail_next_write, None
        if failure == "before":
            raise BrokerError("failed before anything was written")
        opened: set[TopicPartition] = set()
        batch = list(records)
        for topic in {record.topic for record in batch} & self._broker.held.keys():
            await self._broker.held[topic].wait()
        try:
            spans = first = self._append(batch, opened)
            while follow is not None and (more := await follow(spans)):
                spans = self._append(more, opened)
        except BaseException:
            self._end(opened, commit=False)
            raise
        self._end(opened, commit=True)
        if failure == "after":
            raise BrokerError("the answer to the commit was lost")
        return first

    def _append(self, records: Iterable[Output], opened: set[TopicPartition]) -> dict[TopicPartition, OffsetRange]:
        batch: list[OutputRecord] = []
        for record in records:
            batch += record.records() if isinstance(record, OutputBatch) else [record]
        tps = {TopicPartition(one.topic, one.partition) for one in batch}
        for tp in tps:
            log = self._broker.log(tp)
            log.open = log.end if log.open is None else log.open
        opened |= tps
        offsets: dict[TopicPartition, list[int]] = {}
        for one in batch:
            offsets.setdefault(TopicPartition(one.topic, one.partition), []).append(self._broker.append(one))
        return {tp: OffsetRange(written[0], written[-1] + 1) for tp, written in offsets.items()}

    def _end(self, opened: Iterable[TopicPartition], *, commit: bool) -> None:
        for tp in opened:
            log = self._broker.log(tp)
            if not commit:
                log.records = log.readable()
            log.open = None
            log.end += 1
