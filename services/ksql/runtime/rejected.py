"""Records that no query can read, on their way to a topic where people look at them.

They are no part of the engine's transactions, so nothing here can slow or stop a query: a query hands a record over and goes on. Each
record is written once, however many queries drop it and however often they read it. After a start, and after a write whose outcome is
unknown, the end of the topic says how far each partition was written. What waits when the process is killed is not written, nor what is
more than can wait; the queries' counts of drops are exact all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final, NamedTuple

import structlog
from pydantic import TypeAdapter, ValidationError

from services.ksql.engine.records import Headers, InputRecord, OutputRecord
from services.ksql.runtime.broker import Broker, BrokerError, Fenced, Producer, TopicPartition
from shared.events import DroppedHeaders

_log = structlog.get_logger(__name__)

_HEADERS: Final = TypeAdapter(DroppedHeaders)
_WORDS: Final = {
    "malformed": "it cannot be read as the source's format and columns",
    "no_event_time": "it has no event time",
    "event_time_ahead": "its event time is too far ahead of the record's timestamp",
    "null_key": "it has no key",
}
#: between two writes, and after one that failed
_GATHER_S: Final = 2.0
_RETRY_S: Final = 10.0
_POLL_MS: Final = 500
#: bytes that may wait, and of one record that are kept
MOST_WAITING: Final = 1024 * 1024
MOST_VALUE: Final = 64 * 1024
#: what a record takes besides its value
_OVERHEAD: Final = 500
#: offsets at the end of the topic that are read after a start
_TAIL: Final = 5_000


class _Mark(NamedTuple):
    """How far a partition was handed over. Offsets of a topic that was deleted and created again begin anew, timestamps do not."""

    offset: int = -1
    timestamp: int = -1

    def covers(self, offset: int, timestamp: int) -> bool:
        return offset <= self.offset and timestamp <= self.timestamp

    def advanced(self, offset: int, timestamp: int) -> _Mark:
        return _Mark(offset, max(timestamp, self.timestamp))


class _Waiting(NamedTuple):
    source: TopicPartition
    offset: int
    timestamp: int
    value: bytes
    cause: str
    truncated: bool

    @property
    def size(self) -> int:
        return len(self.value) + _OVERHEAD


class RejectedRecords:
    """All methods belong to the loop of the queries. ``written`` and ``lost`` count records since the start."""

    def __init__(self, broker: Broker, topic: str, transactional_id: str) -> None:
        self._broker = broker
        self._topic = topic
        self._transactional_id = transactional_id
        self._producer: Producer | None = None
        self._marks: dict[TopicPartition, _Mark] = {}
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._wanted = asyncio.Event()
        self.written = 0
        self.lost = 0

    def note(self, record: InputRecord, cause: str) -> None:
        """Takes a record that a query drops. Cheap, and never waits."""
        source = TopicPartition(record.topic, record.partition)
        mark = self._marks.get(source, _Mark())
        if mark.covers(record.offset, record.timestamp):
            return
        self._marks[source] = mark.advanced(record.offset, record.timestamp)
        value = record.value or b""
        one = _Waiting(
            source, record.offset, record.timestamp, value[:MOST_VALUE], cause, truncated=len(value) > MOST_VALUE
        )
        if self._bytes + one.size > MOST_WAITING:
            self.lost += 1
            return
        self._waiting.append(one)
        self._bytes += one.size
        self._wanted.set()

    async def run(self) -> None:
        """Writes what waits until cancelled, or until another server takes over."""
        try:
            while True:
                await self._wanted.wait()
                await asyncio.sleep(_GATHER_S)
                self._wanted.clear()
                try:
                    await self._write()
                except Fenced:
                    return
                except BrokerError as error:
                    _log.warning(
                        "rejected records wait", topic=self._topic, reason=str(error), waiting=len(self._waiting)
                    )
                    await self._close()
                    self._wanted.set()
                    await asyncio.sleep(_RETRY_S)
        except Exception:
            # The engine goes on without: from here on they are only counted.
            _log.exception("rejected records are not written any more", topic=self._topic)
        finally:
            await self._close()

    async def _write(self) -> None:
        producer = self._producer or await self._open()
        batch = list(self._waiting)
        if batch:
            await producer.write([self._output(one) for one in batch])
            self.written += len(batch)
            self._keep(self._waiting[len(batch) :])

    async def _open(self) -> Producer:
        if await self._broker.topic(self._topic) is None:
            raise BrokerError("there is no such topic; the collector makes it")
        producer = self._producer = self._broker.producer(self._transactional_id)
        await producer.start()
        written: dict[TopicPartition, _Mark] = {}
        for source, offset, timestamp in await self._tail():
            written[source] = written.get(source, _Mark()).advanced(offset, timestamp)
        self._keep(
            one for one in self._waiting if not written.get(one.source, _Mark()).covers(one.offset, one.timestamp)
        )
        for source, mark in written.items():
            if source not in self._marks:
                self._marks[source] = mark
        return producer

    def _keep(self, waiting: Iterable[_Waiting]) -> None:
        self._waiting = list(waiting)
        self._bytes = sum(one.size for one in self._waiting)

    async def _tail(self) -> list[tuple[TopicPartition, int, int]]:
        """Partition, offset and timestamp of the records that were written last."""
        bounds = (await self._broker.bounds(self._topic))[0]
        consumer = self._broker.consumer(self._topic, {0: max(bounds.start, bounds.end - _TAIL)})
        found = []
        await consumer.start()
        try:
            while consumer.position(0) < bounds.end:
                for chunk in (await consumer.poll([0], timeout_ms=_POLL_MS)).values():
                    for headers in chunk.headers or ():
                        try:
                            known = _HEADERS.validate_python({name: (value or b"").decode() for name, value in headers})
                        except (ValidationError, UnicodeDecodeError):
                            continue
                        source = TopicPartition(known.topic, int(known.partition))
                        found.append((source, int(known.offset), int(known.received_at)))
        finally:
            await consumer.stop()
        return found

    def _output(self, one: _Waiting) -> OutputRecord:
        headers = DroppedHeaders(
            reason=f"{one.source.topic}: {_WORDS.get(one.cause, one.cause)}",
            field=one.cause,
            received_at=str(max(0, one.timestamp)),
            topic=one.source.topic,
            partition=str(one.source.partition),
            offset=str(one.offset),
            truncated="true" if one.truncated else None,
        )
        named: Headers = tuple((name, text.encode()) for name, text in asdict(headers).items() if text is not None)
        # stamped now: brokers may refuse the timestamp that the record has
        return OutputRecord(self._topic, 0, None, one.value, int(time.time() * 1000), named)

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await producer.stop()
            except BrokerError as error:
                _log.warning("the producer of rejected records did not close in order", error=str(error))
