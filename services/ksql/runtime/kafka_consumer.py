"""Consumers of topics: assigned by hand (no group), committed records only.

The consumers of the persistent queries share one client: a broker is asked for all topics in one request. A consumer of a partition that
the shared client reads already, at another offset, gets a client of its own, as do readers that may be slow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.ksql.engine.chunk import Chunk
from services.ksql.runtime.broker import BrokerError
from shared.aiokafka_internals import (
    is_fetching,
    partition_state,
    set_fetch_wait,
    stop_consumer,
    take_fetched,
    wait_for_fetch,
)

#: how long a broker keeps a fetch open that it has nothing for. What arrives ends it at once, so waiting long costs nothing while all is
#: read; but partitions that come in between, or were full, are not part of it.
_FETCH_WAIT_MS, _BUSY_FETCH_WAIT_MS = 1_000, 100
#: after something was read, or partitions came or went, there may soon be more. A partition whose records are still here is not part of
#: the fetch under way: the shorter that waits, the sooner a change of a table is seen beside the views that must be joined with it.
_BUSY_S = 3.0
#: a poll that has this many records takes no further partition, so that no single step keeps the loop for long
_POLL_RECORDS = 5_000


def committed_consumer(bootstrap: str) -> AIOKafkaConsumer:
    """A consumer without a group that sees only what committed transactions wrote."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_BUSY_FETCH_WAIT_MS,
        max_partition_fetch_bytes=1024 * 1024,
    )


#: where partitions end, readable or not
LogEnds = Callable[[list[TopicPartition]], Awaitable[dict[TopicPartition, int]]]


class AssignedConsumer:
    """One client of the brokers for several consumers, which come and go; each reads its own partitions."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._members: list[KafkaConsumer] = []
        self._changing = asyncio.Lock()
        self._busy_until = 0.0

    async def join(self, member: KafkaConsumer) -> bool:
        """Reads the partitions of ``member`` too; False if another consumer reads one of them, or if nothing is fetched any more.

        Raises:
            KafkaError: no broker can be reached.
        """
        async with self._changing:
            if any(tp in other.tps for other in self._members for tp in member.tps):
                return False
            if self._consumer is not None and not is_fetching(self._consumer):
                return False
            if self._consumer is None:
                consumer = committed_consumer(self._bootstrap)
                try:
                    await consumer.start()
                except BaseException:
                    await stop_consumer(consumer)
                    raise
                self._consumer = consumer
            self._assign([*self._members, member])
            return True

    async def leave(self, member: KafkaConsumer) -> None:
        """Ends with the last consumer."""
        async with self._changing:
            if member not in self._members:
                return
            left = [one for one in self._members if one is not member]
            if left:
                self._assign(left)
                return
            self._members = []
            consumer, self._consumer = self._consumer, None
        # Not under the lock: those that join meanwhile get a client of their own and need not wait for the end of this one.
        if consumer is not None:
            await stop_consumer(consumer)

    def _assign(self, members: list[KafkaConsumer]) -> None:
        """What was fetched and not taken yet is fetched again."""
        consumer = self._reading()
        positions = {tp: member.position(tp.partition) for member in members for tp in member.tps}
        self._members = members
        consumer.assign(list(positions))
        for tp, position in positions.items():
            consumer.seek(tp, position)
        self._busy()

    async def wait(self, tps: Collection[TopicPartition], timeout_s: float) -> None:
        """Returns as soon as something of these partitions was fetched, or at the end of the time.

        Raises:
            KafkaError: the broker has refused a fetch.
        """
        if self._consumer is not None:
            await wait_for_fetch(self._consumer, tps, timeout_s)

    def take(self, tp: TopicPartition) -> Chunk | None:
        """All that was fetched of a partition; the consumer's position moves behind it."""
        records = take_fetched(self._consumer, tp) if self._consumer is not None else []
        chunk = _chunk(tp, records) if records else None
        if chunk is not None:
            self._busy()
        elif monotonic() > self._busy_until:
            self._wait_ms(_FETCH_WAIT_MS)
        return chunk

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._reading().seek(tp, offset)

    def state(self, tp: TopicPartition) -> Any:
        """aiokafka's state of the partition: the last stable offset of the newest fetch is known there without a request."""
        return partition_state(self._consumer, tp) if self._consumer is not None else None

    def _busy(self) -> None:
        self._busy_until = monotonic() + _BUSY_S
        self._wait_ms(_BUSY_FETCH_WAIT_MS)

    def _wait_ms(self, wait_ms: int) -> None:
        set_fetch_wait(self._reading(), wait_ms)

    def _reading(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise BrokerError("the consumer has ended")
        return self._consumer


def _chunk(tp: TopicPartition, records: list[Any]) -> Chunk:
    headers = [record.headers for record in records]
    return Chunk(
        tp.topic,
        tp.partition,
        offsets=[record.offset for record in records],
        timestamps=[record.timestamp for record in records],
        keys=[record.key for record in records],
        values=[record.value for record in records],
        headers=[tuple(h) for h in headers] if any(headers) else None,
    )


class KafkaConsumer:
    """See ``broker.Consumer``. A start position that retention has deleted becomes the first one there is.

    Args:
        shared: the consumer to share, if it does not read these partitions already.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        positions: Mapping[int, int],
        log_ends: LogEnds,
        shared: AssignedConsumer | None,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._tps = {p: TopicPartition(topic, p) for p in positions}
        self.tps = frozenset(self._tps.values())
        self._positions = dict(positions)
        self._ends: dict[int, int] = {}
        self._log_ends = log_ends
        self._shared = shared
        self._consumer: AssignedConsumer | None = None

    async def start(self) -> None:
        try:
            if self._shared is not None and await self._shared.join(self):
                self._consumer = self._shared
            else:
                own = AssignedConsumer(self._bootstrap)
                await own.join(self)
                self._consumer = own
            ends = await self._log_ends(list(self._tps.values()))
        except KafkaError as error:
            await self.stop()
            raise BrokerError(f"topic {self._topic}: {error}") from error
        self._ends = {tp.partition: end for tp, end in ends.items()}

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.leave(self)

    async def poll(self, partitions: Collection[int], *, timeout_ms: int) -> dict[int, Chunk]:
        tps = [self._tps[p] for p in partitions]
        polled: dict[int, Chunk] = {}
        consumer = self._reading()
        try:
            await consumer.wait(tps, timeout_ms / 1000)
            for tp in tps:
                chunk = consumer.take(tp)
                if chunk is not None:
                    polled[tp.partition] = chunk
                if sum(map(len, polled.values())) >= _POLL_RECORDS:
                    break
        except KafkaError as error:
            raise BrokerError(f"topic {self._topic}: {error}") from error
        return polled

    def skip(self, partition: int, offset: int) -> None:
        self._reading().seek(self._tps[partition], offset)
        self._positions[partition] = offset

    def position(self, partition: int) -> int:
        state = self._state(partition)
        if state is not None and state.has_valid_position:
            self._positions[partition] = state.position
        return self._positions[partition]

    def end(self, partition: int) -> int:
        state = self._state(partition)
        stable = state.lso if state is not None else None
        # The end at the start counts records of open transactions too, which become readable at any moment. A partition that
        # took its last stable offset for the end would let a join go on without the rows of its table.
        # It is kept, because an assignment of other partitions drops the last stable offset: for a moment the partition would seem
        # to end before records that are known.
        if stable is not None:
            self._ends[partition] = max(self._ends[partition], int(stable))
        return self._ends[partition]

    def checked_ms(self, partition: int) -> int:
        state = self._state(partition)
        return int(state.timestamp or 0) if state is not None else 0

    def _state(self, partition: int) -> Any:
        return self._consumer.state(self._tps[partition]) if self._consumer is not None else None

    def _reading(self) -> AssignedConsumer:
        if self._consumer is None:
            raise BrokerError(f"topic {self._topic}: the consumer has not been started")
        return self._consumer
