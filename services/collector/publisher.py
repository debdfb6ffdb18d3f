"""From the journal into Kafka, each entry exactly once.

One transaction per batch holds the batch's records and, in a compacted topic, the number of the next entry. After a crash the new
producer takes over the transactional id, which ends what the old one had open; the committed number then says where to go on.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced, TopicAlreadyExistsError
from aiokafka.producer.message_accumulator import BatchBuilder

from services.collector import topic_log
from services.collector.journal import Entry, Journal, Record
from services.collector.settings import Settings
from shared.durations import milliseconds
from shared.errors import Conflict, PagePulseError, Unavailable
from shared.json import dumps, loads
from shared.kafka import admin_client, track_topics
from shared.partitioner import partition_for

_log = structlog.get_logger(__name__)

#: an open transaction of a collector that died holds back readers of committed records for no longer than this
_TRANSACTION_MS: Final = 10_000
_BATCH_BYTES: Final = 512 * 1024
_CALL_S: Final = 30.0
_CLOSE_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
#: record keys whose partition is remembered
_KEYS: Final = 10_000
_FORGOTTEN: Final = "forgotten:"


class Fenced(Conflict):
    type, title = "fenced", "Another collector has the same id"


class Message(NamedTuple):
    """A record as the producer takes it. ``at_ms``: its timestamp in milliseconds since the epoch."""

    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def forgotten_record(settings: Settings, user_id: int, at_ms: int) -> tuple[str, str, str]:
    """The record of the state topic that keeps a user forgotten."""
    return settings.state_topic, f"{_FORGOTTEN}{user_id}", dumps({"at": at_ms}).decode()


class Publisher:
    """Owned by the service's lifespan: ``run`` is its task."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        self._rejected_topic = settings.rejected_topic
        self._position_key = f"{settings.collector_id}:next".encode()
        #: accepted events in Kafka since the start
        self.published = 0
        #: topics that the present producer has the metadata of
        self._tracked: set[str] = set()
        #: why Kafka takes no events at present; None while it does
        self.error: PagePulseError | None = Unavailable("not connected to Kafka yet")

    async def check(self) -> None:
        """For /readyz."""
        if self.error is not None:
            raise self.error

    async def run(self) -> None:
        """Publishes until cancelled; goes on after every error but that of a second collector with this id."""
        pause = _FIRST_PAUSE_S
        while True:
            before = self._journal.published
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.kafka_bootstrap,
                client_id=f"pagepulse-collector-{self._settings.collector_id}",
                transactional_id=f"pagepulse-collector-{self._settings.collector_id}",
                transaction_timeout_ms=_TRANSACTION_MS,
                acks="all",
                max_batch_size=_BATCH_BYTES,
            )
            try:
                await self._publish(producer)
            except (ProducerFenced, InvalidProducerEpoch):
                self.error = Fenced(
                    f"A collector with PAGEPULSE_COLLECTOR_ID={self._settings.collector_id} has taken over: give each an id of "
                    "its own, then restart this one. Its journal is kept."
                )
                _log.error("fenced", collector=self._settings.collector_id)
                return
            except (KafkaError, PagePulseError, TimeoutError, OSError, AssertionError) as error:
                # aiokafka asserts its state machine: after a failed transaction that is as fatal as an error of the broker.
                text = error.detail if isinstance(error, PagePulseError) else str(error) or type(error).__name__
                self.error = Unavailable(f"Kafka at {self._settings.kafka_bootstrap}: {text}", service="kafka")
                _log.warning("events wait for Kafka", reason=text, waiting=self._journal.waiting)
            finally:
                await _close(producer)
            pause = _FIRST_PAUSE_S if self._journal.published > before else min(2 * pause, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    async def _publish(self, producer: AIOKafkaProducer) -> None:
        async with asyncio.timeout(_CALL_S):
            await producer.start()
        async with asyncio.timeout(_CALL_S):
            await self._ensure_topics()
            self._journal.mark_published(await self._committed())
        self._tracked = set()
        self.error = None
        while True:
            await self._journal.more_than(self._journal.published)
            if self._journal.waiting < self._settings.max_transaction_events:
                await asyncio.sleep(self._settings.linger.total_seconds())
            entries = await self._journal.entries(self._journal.published, self._settings.max_transaction_events)
            async with asyncio.timeout(_CALL_S):
                await self._transaction(producer, entries)
            self._journal.mark_published(entries[-1].number + 1)
            self.published += sum(1 for entry in entries if entry.session)

    async def _transaction(self, producer: AIOKafkaProducer, entries: Sequence[Entry]) -> None:
        topics = {topic for entry in entries for topic, _, _ in entry.records}
        await self._check_topics(producer, topics | {self._settings.state_topic})
        partitions = {topic: len(await producer.partitions_for(topic)) for topic in topics}
        await producer.begin_transaction()
        batches: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
        for entry in entries:
            for record in entry.records:
                topic, message = record[0], self.message(entry, record)
                batches[topic, _partition(message.key, partitions[topic])].append(message)
        deliveries: list[asyncio.Future[Any]] = []
        for (topic, partition), messages in batches.items():
            deliveries += await _send_batches(producer, topic, partition, messages)
        position = dumps({"journal": self._journal.id, "next": entries[-1].number + 1})
        deliveries.append(await producer.send(self._settings.state_topic, position, self._position_key))
        await asyncio.gather(*deliveries)
        await producer.commit_transaction()

    def message(self, entry: Entry, record: Record) -> Message:
        """The record as it is sent to its topic."""
        topic, key, value = record
        if topic == self._rejected_topic:
            headers = [(name, text.encode()) for name, text in (entry.headers or {}).items()]
            return Message(entry.at_ms, None, (value or "").encode("latin-1"), headers)
        return Message(entry.at_ms, key.encode("latin-1"), None if value is None else value.encode(), [])

    async def _check_topics(self, producer: AIOKafkaProducer, topics: set[str]) -> None:
        if new := topics - self._tracked:
            known = await producer.client.fetch_all_metadata()
            if missing := sorted(topic for topic in new if not known.partitions_for_topic(topic)):
                raise Unavailable(f"no topic {', '.join(missing)}: apply the pipeline first (POST /provisioner/apply)")
            await track_topics(producer, new)
            self._tracked |= new

    async def _ensure_topics(self) -> None:
        """The collector's own topics, of one partition each."""
        retention = {
            "retention.ms": str(milliseconds(self._settings.rejected_retention)),
            "retention.bytes": str(self._settings.rejected_retention_bytes),
        }
        configs = {
            self._settings.state_topic: {"cleanup.policy": "compact"},
            self._settings.rejected_topic: {"cleanup.policy": "delete", **retention},
        }
        new = [NewTopic(n, 1, self._settings.replication_factor, topic_configs=c) for n, c in configs.items()]
        async with admin_client(self._settings.kafka_bootstrap) as admin:
            # One that is there already is an error in the answer, not an exception.
            answer = await admin.create_topics(new)
            for name, code, *_ in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise Unavailable(f"topic {name} cannot be created: error {code}")

    async def _state(self) -> dict[str, bytes]:
        """The newest value of each key of the state topic."""
        # The end of the log, not the last stable offset: the latter may lag behind the transaction that has just been settled.
        page = await topic_log.read(self._settings.kafka_bootstrap, self._settings.state_topic, committed=False)
        newest = {(record.key or b"").decode(): record.value for record in page.records}
        return {key: value for key, value in newest.items() if value is not None}

    async def _committed(self) -> int:
        """The number of this journal's next entry as of the last committed transaction, 0 without one. Restores ``forgotten``."""
        state = await self._state()
        await self._journal.forget({int(key.removeprefix(_FORGOTTEN)) for key in state if key.startswith(_FORGOTTEN)})
        position = loads(state.get(self._position_key.decode(), b"{}"))
        return int(position["next"]) if position.get("journal") == self._journal.id else 0

    async def settled_state(self) -> dict[str, bytes]:
        """The newest value of each key of the state topic, once everything in the journal at present is in Kafka.

        Raises:
            Unavailable: Kafka takes no events at present.
        """
        upto = self._journal.next
        try:
            async with asyncio.timeout(_CALL_S):
                await self.check()
                await self._journal.published_up_to(upto)
        except TimeoutError as error:
            raise Unavailable(
                f"{self._journal.waiting} events still wait for Kafka; retry.", service="kafka"
            ) from error
        return await self._state()


@lru_cache(_KEYS)
def _partition(key: bytes | None, partitions: int) -> int:
    """Records without a key are in a topic of one partition."""
    return 0 if key is None else partition_for(key, partitions)


async def _send_batches(
    producer: AIOKafkaProducer, topic: str, partition: int, messages: Sequence[Message]
) -> list[asyncio.Future[Any]]:
    """In order; a future for each batch. aiokafka's way of one record at a time costs several times as much."""
    sent = []
    batch = producer.create_batch()
    for message in messages:
        if not append(batch, message):
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            append(batch, message)
    sent.append(await producer.send_batch(batch, topic, partition=partition))
    return sent


def append(batch: BatchBuilder, message: Message) -> bool:
    """False: it is full."""
    taken = batch.append(timestamp=message.at_ms, key=message.key, value=message.value, headers=message.headers)
    return taken is not None


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await producer.stop()
    except (KafkaError, TimeoutError, AssertionError) as error:
        _log.warning("the producer did not close in order", error=str(error) or type(error).__name__)
