"""Consumers that queries share: those at the same position of a topic read it through one consumer.

A query that starts elsewhere gets a consumer of its own; partition by partition it moves to the consumer ahead of it as soon as
it has caught up. So a topic that four queries read is fetched once, and each query still starts where it must.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import structlog

from services.ksql.engine.chunk import Chunk
from services.ksql.runtime.broker import Broker, BrokerError, Consumer, TopicPartition
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

#: a subscriber with more records of a partition than this gets no more of it, unless it waits for it
_BACKLOG = 20_000
#: how long a poll waits for records: short while the end of a partition is not known yet
_IDLE_POLL_MS, _SEEKING_POLL_MS = 100, 10
#: after a poll that brought little, so that a trickle of events is fetched some 60 times a second, not once per event
_PAUSE_S = 0.015
_LITTLE = 100
_RETRY_S = 1.0
#: a consumer that takes longer to open or to close is given up
_OPEN_S, _CLOSE_S = 120.0, 30.0
#: interval of the checks for answers of the brokers, and after how many checks without an answer a consumer is opened again. Counted in
#: checks, because a process that does not get the processor gets no answers either.
_CHECK_S, _SILENT_CHECKS = 5.0, 12


class Subscriber(Protocol):
    """A reader of partitions: a running query."""

    #: the next offset of each partition that it has not been given
    fetched: dict[TopicPartition, int]

    def deliver(self, tp: TopicPartition, chunk: Chunk | None, *, position: int, end: int) -> None:
        """The next records, if any; ``position`` is the offset after them, ``end`` the end of what can be read."""

    def mark_polled(self, tp: TopicPartition, checked_ms: int) -> bool:
        """The partition was polled; True if a record has waited for that."""

    def wants(self, tp: TopicPartition, backlog: int) -> bool:
        """Whether it can take more (less than ``backlog`` records of the partition), or waits for them."""


@dataclass(slots=True)
class _SharedPartition:
    position: int
    end: int = -1
    subscribers: list[Subscriber] = field(default_factory=list)


class _Silent(Exception):
    """The brokers have not answered for long."""


class _Silence:
    """Detects a consumer without records and without the answer that there are none."""

    def __init__(self, source: Consumer) -> None:
        self._source = source
        self._next_check = monotonic() + _CHECK_S
        #: by partition: the last answer, and how many checks ago it came
        self._answers: dict[int, tuple[int, int]] = {}

    def check(self, wanted: Iterable[int]) -> None:
        """Checks at intervals. A partition that no subscriber wants records of is counted from the start again.

        Raises:
            _Silent: a partition has been wanted for long, and there was no answer.
        """
        if monotonic() < self._next_check:
            return
        self._next_check = monotonic() + _CHECK_S
        answers = {}
        for partition in wanted:
            checked = self._source.checked_ms(partition)
            before, checks = self._answers.get(partition, (checked, -1))
            answers[partition] = (checked, checks + 1 if checked == before else 0)
        self._answers = answers
        silent = sorted(partition for partition, (_, checks) in answers.items() if checks >= _SILENT_CHECKS)
        if silent:
            raise _Silent(f"no answer of the brokers for the partitions {silent} for {_SILENT_CHECKS * _CHECK_S:g} s")


class SharedConsumer:
    """One consumer of some partitions of a topic, with the subscribers of each."""

    def __init__(
        self, consumers: SharedConsumers, topic: str, positions: Mapping[int, int], subscriber: Subscriber
    ) -> None:
        self._consumers = consumers
        self.topic = topic
        self.partitions = {p: _SharedPartition(position, subscribers=[subscriber]) for p, position in positions.items()}
        self._source: Consumer | None = None

    async def run(self) -> None:
        """Polls until it has no partitions left. After any failure it is opened again at the same positions; where a shared client may be
        the reason (it is not opened in time, or brings nothing), with a client of its own."""
        shared = self._consumers.shared
        while self.partitions:
            positions = {p: shared_partition.position for p, shared_partition in self.partitions.items()}
            source = self._consumers.broker.consumer(self.topic, positions, shared=shared)
            failure = ""
            try:
                async with asyncio.timeout(_OPEN_S):
                    await source.start()
                self._source = source
                await self._poll(source)
            except BrokerError as error:
                failure = str(error)
            except _Silent as error:
                failure, shared = str(error), False
            except TimeoutError:
                failure, shared = f"it was not open within {_OPEN_S:g} s", False
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
                _log.exception("consumer failed", topic=self.topic)
            finally:
                self._source = None
                await self._close(source)
            if failure:
                _log.warning("consumer failed, it will be opened again", topic=self.topic, error=failure)
                await asyncio.sleep(_RETRY_S)

    async def _close(self, source: Consumer) -> None:
        """Whatever becomes of the old client, the partitions are read on by a new one."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await source.stop()
        except Exception as error:
            _log.warning("consumer did not close", topic=self.topic, error=str(error) or type(error).__name__)

    def expect(self, tp: TopicPartition, end: int) -> None:
        """Notifies the subscribers of a partition that it continues at least to ``end``; what all of them have already is not fetched."""
        shared = self.partitions.get(tp.partition) if tp.topic == self.topic else None
        if shared is None or end <= shared.end:
            return
        shared.end = end
        if self._source is not None and all(subscriber.fetched[tp] >= end for subscriber in shared.subscribers):
            self._source.skip(tp.partition, end)
            shared.position = end
        for subscriber in shared.subscribers:
            subscriber.deliver(tp, None, position=shared.position, end=end)

    async def _poll(self, source: Consumer) -> None:
        silence = _Silence(source)
        while self.partitions:
            wanted = [p for p, shared in self.partitions.items() if self._is_wanted(p, shared)]
            silence.check(wanted)
            if not wanted:
                await asyncio.sleep(_PAUSE_S)
                continue
            settled = all(shared.position >= shared.end >= 0 for shared in self.partitions.values())
            polled = await source.poll(wanted, timeout_ms=_IDLE_POLL_MS if settled else _SEEKING_POLL_MS)
            count = 0
            for partition in list(self.partitions):
                chunk = polled.get(partition)
                count += len(chunk) if chunk is not None else 0
                self._advance(partition, chunk, source)
            await asyncio.sleep(_PAUSE_S if count < _LITTLE and settled else 0)

    def _is_wanted(self, partition: int, shared: _SharedPartition) -> bool:
        tp = TopicPartition(self.topic, partition)
        return any(s.wants(tp, 0) for s in shared.subscribers) or all(s.wants(tp, _BACKLOG) for s in shared.subscribers)

    def _advance(self, partition: int, chunk: Chunk | None, source: Consumer) -> None:
        shared = self.partitions[partition]
        position = source.position(partition)
        end = max(source.end(partition), self._consumers.expected.get(TopicPartition(self.topic, partition), -1))
        ahead = self._consumers.ahead_of(self, partition)
        if ahead is not None and position >= ahead.position:
            chunk = chunk.between(0, ahead.position) if chunk is not None else None
            position, end = ahead.position, max(end, ahead.end)
            ahead.subscribers.extend(shared.subscribers)
            del self.partitions[partition]
        tp = TopicPartition(self.topic, partition)
        if chunk is None and (position, end) == (shared.position, shared.end):
            waited = [s.mark_polled(tp, source.checked_ms(partition)) for s in shared.subscribers]
            if True in waited:
                self._consumers.wake()
            return
        shared.position, shared.end = position, end
        for subscriber in shared.subscribers:
            subscriber.deliver(tp, chunk, position=position, end=end)
        self._consumers.wake()


class SharedConsumers:
    """All consumers of the persistent queries, or of one push query. ``shared``: they may share a client of the brokers."""

    def __init__(self, broker: Broker, wake: Callable[[], None], *, shared: bool = False) -> None:
        self.broker = broker
        self.shared = shared
        self.wake = wake
        self.expected: dict[TopicPartition, int] = {}
        self._consumers: list[SharedConsumer] = []
        self._tasks = TaskSet()

    def __len__(self) -> int:
        return len(self._consumers)

    def subscribe(self, subscriber: Subscriber, positions: Mapping[TopicPartition, int]) -> None:
        """Delivers from ``positions`` on. A partition that a consumer already reads at the same position joins that consumer."""
        alone: dict[str, dict[int, int]] = {}
        for tp, position in positions.items():
            for consumer in self._consumers:
                shared = consumer.partitions.get(tp.partition) if consumer.topic == tp.topic else None
                if shared is not None and shared.position == position:
                    shared.subscribers.append(subscriber)
                    subscriber.deliver(tp, None, position=position, end=shared.end)
                    break
            else:
                if not any(
                    consumer.topic == tp.topic and tp.partition in consumer.partitions for consumer in self._consumers
                ):
                    # It has no reader: the expected end may be of a topic of this name that was deleted since, with more in it.
                    self.expected.pop(tp, None)
                alone.setdefault(tp.topic, {})[tp.partition] = position
        for topic, own in alone.items():
            consumer = SharedConsumer(self, topic, own, subscriber)
            self._consumers.append(consumer)
            self._tasks.start(self._run(consumer), f"consumer of {topic}")

    def expect(self, ends: Mapping[TopicPartition, int]) -> None:
        """What a transaction of our own is about to make readable. A partition counts as at its end only beyond that.

        Its partitions become readable one after the other. A query that reads them must not take the one that comes first
        for all there is, or the others come too late for its windows.
        """
        for tp, end in ends.items():
            if any(consumer.topic == tp.topic for consumer in self._consumers):
                self.expected[tp] = end
                for consumer in self._consumers:
                    consumer.expect(tp, end)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Delivers nothing more to it; consumers without subscribers end."""
        for consumer in self._consumers:
            for partition, shared in list(consumer.partitions.items()):
                shared.subscribers[:] = [s for s in shared.subscribers if s is not subscriber]
                if not shared.subscribers:
                    del consumer.partitions[partition]

    def ahead_of(self, consumer: SharedConsumer, partition: int) -> _SharedPartition | None:
        """The partition of another consumer that is nearest ahead of ``consumer`` there, or level with it."""
        own = consumer.partitions[partition]
        others: Iterable[_SharedPartition] = (
            shared
            for other in self._consumers
            if other is not consumer and other.topic == consumer.topic
            for p, shared in other.partitions.items()
            if p == partition and shared.position >= own.position
        )
        return min(others, key=lambda shared: shared.position, default=None)

    async def aclose(self) -> None:
        await self._tasks.aclose()
        self._consumers.clear()

    async def _run(self, consumer: SharedConsumer) -> None:
        try:
            await consumer.run()
        finally:
            self._consumers = [f for f in self._consumers if f is not consumer]
