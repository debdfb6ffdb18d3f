"""A consumer of one topic: assigned by hand (no group), committed records only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.ksql.engine.chunk import Chunk
from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.kafka_chunks import FetchedChunks

#: how long the broker keeps an empty fetch open: idle feeds cost five requests a second and broker
_FETCH_WAIT_MS = 200
#: a poll that has this many records takes no further partition, so that no single step keeps the loop for long
_POLL_RECORDS = 5_000


def committed_consumer(bootstrap: str) -> AIOKafkaConsumer:
    """A consumer without a group that sees only what committed transactions wrote."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        max_partition_fetch_bytes=1024 * 1024,
    )


#: where partitions end, readable or not
LogEnds = Callable[[list[TopicPartition]], Awaitable[dict[TopicPartition, int]]]


class KafkaFeed:
    """See ``broker.FeedSource``. A start position that retention has deleted becomes the first one there is."""

    def __init__(self, bootstrap: str, topic: str, positions: Mapping[int, int], log_ends: LogEnds) -> None:
        self._topic = topic
        self._lanes = {p: TopicPartition(topic, p) for p in positions}
        self._positions = dict(positions)
        self._ends: dict[int, int] = {}
        self._log_ends = log_ends
        self._consumer = committed_consumer(bootstrap)
        self._fetched = FetchedChunks(self._consumer)

    async def start(self) -> None:
        try:
            await self._consumer.start()
            self._consumer.assign(list(self._lanes.values()))
            for partition, lane in self._lanes.items():
                self._consumer.seek(lane, self._positions[partition])
            ends = await self._log_ends(list(self._lanes.values()))
        except KafkaError as error:
            await self._consumer.stop()
            raise BrokerError(f"topic {self._topic}: {error}") from error
        self._ends = {lane.partition: end for lane, end in ends.items()}

    async def stop(self) -> None:
        await self._consumer.stop()

    async def poll(self, partitions: Collection[int], *, timeout_ms: int) -> dict[int, Chunk]:
        lanes = [self._lanes[p] for p in partitions]
        polled: dict[int, Chunk] = {}
        try:
            await self._fetched.wait(lanes, timeout_ms / 1000)
            for lane in lanes:
                chunk = self._fetched.take(lane)
                if chunk is not None:
                    polled[lane.partition] = chunk
                if sum(map(len, polled.values())) >= _POLL_RECORDS:
                    break
        except KafkaError as error:
            raise BrokerError(f"topic {self._topic}: {error}") from error
        return polled

    def skip(self, partition: int, offset: int) -> None:
        self._consumer.seek(self._lanes[partition], offset)
        self._positions[partition] = offset

    def position(self, partition: int) -> int:
        state = self._state(partition)
        if state is not None and state.has_valid_position:
            self._positions[partition] = state.position
        return self._positions[partition]

    def end(self, partition: int) -> int:
        state = self._state(partition)
        stable = state.lso if state is not None else None
        # The end at the start counts what nobody could read yet: a transaction that becomes readable at any moment. A lane that
        # took its last stable offset for the end would let a join go on without the rows of its table.
        return self._ends[partition] if stable is None else max(self._ends[partition], int(stable))

    def checked_ms(self, partition: int) -> int:
        state = self._state(partition)
        return int(state.timestamp or 0) if state is not None else 0

    def _state(self, partition: int) -> Any:
        """aiokafka's state of the partition: the last stable offset of the newest fetch is known there without a request."""
        return self._consumer._subscription.subscription.assignment.state_value(self._lanes[partition])
