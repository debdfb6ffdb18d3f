"""Events into Kafka: batches per partition, acks from all replicas, idempotent, a bounded number in flight.

Each partition of a topic has a queue with a task of its own. All queues send at the same moments, a linger apart, so that a broker gets one
request for all its partitions; a queue with many events does not wait. While a batch is on its way the next events pile up and become the
next batch: small batches at low rates, full ones at high rates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerClosed

from services.generator.kafka import Broker, Producer
from services.generator.settings import Settings
from services.generator.source import Event
from services.generator.statistics import Statistics
from shared.errors import Conflict, Unavailable
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

#: how long closing a producer may take that may have lost its brokers
_CLOSE_DEADLINE_S: Final = 2.0
#: a queue with this many events sends at once
_MANY: Final = 1_000
#: pause between attempts to replace a broken producer
_RENEW_PAUSE_S: Final = 1.0
_NOT_ACKNOWLEDGED: Final = "not acknowledged before the end"


class MissingTopics(Conflict):
    type, title = "missing-topics", "Topics are missing"


class _PartitionQueue:
    """The events for one partition of one topic."""

    __slots__ = ("filled", "partition", "records", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        #: (timestamp in ms, moment of making in monotonic seconds, key, value)
        self.records: list[tuple[int, float, bytes, bytes]] = []
        self.filled = asyncio.Event()


class Publisher:
    """Takes events and sees each through to its acknowledgement or failure. Owns the producer."""

    def __init__(self, settings: Settings, broker: Broker, statistics: Statistics) -> None:
        self._settings = settings
        self._broker = broker
        self._statistics = statistics
        self._topics = (settings.page_view_topic, settings.user_session_topic)
        self._producer: Producer | None = None
        self._renewing = asyncio.Lock()
        self._tasks = TaskSet()
        self._queues: list[_PartitionQueue] = []
        self._settled = asyncio.Event()
        self._next_moment: asyncio.Future[None] | None = None
        self.partitions = 0

    async def start(self) -> None:
        """Connects.

        Raises:
            Unavailable: no broker answers in time.
            MissingTopics: the topics were not made yet, or do not have the same number of partitions.
        """
        producer = self._broker.producer()
        deadline = self._settings.kafka_deadline.total_seconds()
        try:
            async with asyncio.timeout(deadline):
                await producer.start()
                found = await producer.partitions(self._topics)
            self.partitions = self._checked(found)
        except (KafkaError, TimeoutError) as error:
            await self._close(producer)
            why = str(error) or f"no answer within {deadline:g} s"
            raise Unavailable(f"Kafka at {self._settings.kafka_bootstrap}: {why}", service="kafka") from error
        except BaseException:
            await self._close(producer)
            raise
        self._producer = producer
        self._queues = [_PartitionQueue(topic, p) for topic in self._topics for p in range(self.partitions)]
        for queue in self._queues:
            self._tasks.start(self._drive(queue), f"{queue.topic}-{queue.partition}")

    def put(self, events: Sequence[Event], now_ms: int) -> None:
        """Queues events; ``now_ms`` is their records' timestamp."""
        since = time.monotonic()
        records = [queue.records for queue in self._queues]
        before = [len(queued) for queued in records]
        for index, key, value in events:
            records[index].append((now_ms, since, key, value))
        for queue, earlier in zip(self._queues, before, strict=True):
            if added := len(queue.records) - earlier:
                queue.filled.set()
                self._statistics.sent_by_topic[queue.topic] += added
        self._statistics.sent += len(events)

    @property
    def full(self) -> bool:
        return self._statistics.in_flight >= self._settings.max_in_flight

    async def until_not_full(self, patience_s: float) -> None:
        """Waits until the next events may be queued, at most ``patience_s``; the time spent counts as back-pressure."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(patience_s):
                while self.full:
                    await self._next_settled()
        except TimeoutError:
            pass
        self._statistics.backpressured_s += time.monotonic() - began

    async def flush(self) -> None:
        """Waits until nothing is in flight, or the deadline has elapse."""
        try:
            async with asyncio.timeout(self._settings.flush_deadline.total_seconds()):
                while self._statistics.in_flight > 0:
                    await self._next_settled()
        except TimeoutError:
            _log.warning("events were not acknowledged in time", events=self._statistics.in_flight)

    async def aclose(self) -> None:
        """Ends the queues and the producer; what is still in flight counts as failed."""
        await self._tasks.aclose()
        if self._producer is not None:
            await self._close(self._producer)
        await asyncio.sleep(0)
        if left := self._statistics.in_flight:
            self._statistics.fail(_NOT_ACKNOWLEDGED, left)
        self._queues = []

    def _checked(self, found: dict[str, int]) -> int:
        missing = [topic for topic, partitions in found.items() if partitions == 0]
        if missing:
            raise MissingTopics(
                f"Kafka has no topic {' and no topic '.join(missing)}. Apply the provisioner first: "
                "POST /provisioner/apply.",
                topics=missing,
            )
        if len(set(found.values())) > 1:
            raise MissingTopics(f"The topics must have the same number of partitions, but have {found}.")
        return next(iter(found.values()))

    async def _next_settled(self) -> None:
        self._settled.clear()
        await self._settled.wait()

    async def _drive(self, queue: _PartitionQueue) -> None:
        linger = self._settings.linger.total_seconds()
        while True:
            await queue.filled.wait()
            if linger and len(queue.records) < _MANY:
                await asyncio.shield(self._next_send(linger))
            producer = await self._current()
            batch, count = producer.create_batch(), 0
            append = batch.append
            for timestamp, _, key, value in queue.records:
                if append(timestamp=timestamp, key=key, value=value) is None:
                    break
                count += 1
            batch.close()
            since = queue.records[0][1]
            del queue.records[:count]
            if not queue.records:
                queue.filled.clear()
            await self._send(queue, producer, batch, count, since)

    def _next_send(self, linger: float) -> asyncio.Future[None]:
        """The next moment at which the queues send, all in one iteration of the loop, before the producer's own task."""
        if self._next_moment is None:
            loop = asyncio.get_running_loop()
            moment = self._next_moment = loop.create_future()

            def elapse() -> None:
                self._next_moment = None
                moment.set_result(None)

            loop.call_later(linger - time.monotonic() % linger, elapse)
        return self._next_moment

    async def _send(self, queue: _PartitionQueue, producer: Producer, batch: Any, count: int, since: float) -> None:
        while True:
            try:
                delivery = await producer.send_batch(batch, queue.topic, partition=queue.partition)
            except ProducerClosed:
                # Another queue's failure ended this producer before it took the batch: the next one may have it.
                producer = await self._current()
                continue
            except KafkaTimeoutError:
                # The batch before is still waiting for its broker: nothing is lost by waiting on.
                self._statistics.last_error = f"{queue.topic}-{queue.partition}: Kafka takes no more events for now"
                continue
            except KafkaError as error:
                self._failed(producer, error, count)
                return
            break
        delivery.add_done_callback(lambda done: self._settle(queue, producer, done, count, since))

    def _settle(
        self, queue: _PartitionQueue, producer: Producer, delivery: asyncio.Future[Any], count: int, since: float
    ) -> None:
        if delivery.cancelled():
            self._statistics.fail(_NOT_ACKNOWLEDGED, count)
        elif (error := delivery.exception()) is not None:
            self._failed(producer, error, count)
        else:
            self._statistics.acknowledge(queue.topic, count, since)
        self._settled.set()

    def _failed(self, producer: Producer, error: BaseException, count: int) -> None:
        self._statistics.fail(type(error).__name__, count)
        self._statistics.last_error = str(error) or type(error).__name__
        self._settled.set()
        # An idempotent producer that lost a batch has a gap in its sequence: the broker refuses all that follows.
        if producer is self._producer:
            _log.warning("the producer is replaced", error=str(error), events=count)
            self._producer = None
            self._tasks.start(self._close(producer), "close producer")

    async def _current(self) -> Producer:
        """The producer in use; a new one after a failure."""
        async with self._renewing:
            while self._producer is None:
                producer = self._broker.producer()
                try:
                    await producer.start()
                except KafkaError as error:
                    self._statistics.last_error = str(error) or type(error).__name__
                    await self._close(producer)
                    await asyncio.sleep(_RENEW_PAUSE_S)
                else:
                    self._producer = producer
            return self._producer

    @staticmethod
    async def _close(producer: Producer) -> None:
        try:
            async with asyncio.timeout(_CLOSE_DEADLINE_S):
                await producer.stop()
        except (TimeoutError, KafkaError) as error:
            _log.warning("the producer did not close in order", error=str(error) or type(error).__name__)
            await producer.abandon()
