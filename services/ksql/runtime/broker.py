"""What the runtime needs of a Kafka cluster. ``kafka.py`` implements it over aiokafka."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from services.ksql.engine.chunk import Chunk
from services.ksql.engine.records import InputRecord, Output, OutputRecord
from services.ksql.model.schema import TopicInfo


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class OffsetBounds(NamedTuple):
    """Offsets of a partition: the first record, and the end of what can be read."""

    start: int
    end: int


class BrokerError(Exception):
    """The broker refused or could not be reached; the message is the broker's own."""


class UnknownTopic(BrokerError):
    """There is no such topic."""


class Fenced(BrokerError):
    """Another process has taken over this transactional id: this one must not write any more."""


class Consumer(Protocol):
    """A consumer of some partitions of one topic, which sees committed records only."""

    async def start(self) -> None: ...

    async def poll(self, partitions: Collection[int], *, timeout_ms: int) -> dict[int, Chunk]:
        """The next records of these partitions, in order; nothing of the others is taken."""

    def skip(self, partition: int, offset: int) -> None:
        """Continues from ``offset``, which lies ahead."""

    def position(self, partition: int) -> int:
        """The next offset; markers and aborted records are skipped."""

    def end(self, partition: int) -> int:
        """The end of what can be read, as far as is known: at ``position`` nothing more is there now."""

    def checked_ms(self, partition: int) -> int:
        """When the broker was last heard of this partition, in ms of the wall clock; 0 if never."""

    async def stop(self) -> None: ...


#: the largest record in bytes: below the brokers' message.max.bytes (1 MiB) by more than a batch's header
LARGEST_RECORD = 900 * 1024


class OffsetRange(NamedTuple):
    """Where the records of one write to a partition lie: offsets from ``first`` up to, not including, ``end``.

    ``verbatim``: they lie one after the other with the timestamps they were given, so that the n-th is at ``first`` + n.
    """

    first: int
    end: int
    verbatim: bool = True


Follow = Callable[[Mapping[TopicPartition, OffsetRange]], Awaitable[Sequence[Output]]]


class Producer(Protocol):
    """A transactional producer: ``start`` fences every earlier one with the same id and completes or aborts its open transaction."""

    async def start(self) -> None: ...

    async def write(self, records: Iterable[Output], follow: Follow | None = None) -> dict[TopicPartition, OffsetRange]:
        """Writes all or nothing; gives the span of ``records`` in each partition.

        ``follow`` gets the offset ranges once the records are written but not readable yet. What it gives is written in the
        same transaction, and it is asked again, until it has nothing more.

        Raises:
            Fenced: see there.
            BrokerError: the outcome is unknown or nothing was written: start a new producer and read the committed records.
        """

    async def stop(self) -> None: ...


class Broker(Protocol):
    """A Kafka cluster. Calls raise ``BrokerError``."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def cluster_id(self) -> str: ...

    async def topics(self) -> dict[str, TopicInfo]:
        """All topics, without their configuration."""

    async def topic(self, name: str) -> TopicInfo | None:
        """One topic with its configuration, None if there is none."""

    async def create_topic(self, info: TopicInfo) -> None:
        """Creates and waits until every broker knows it. ``replicas`` -1 means 3, or as many as there are brokers."""

    async def delete_topic(self, name: str) -> None: ...

    async def bounds(self, topic: str) -> dict[int, OffsetBounds]: ...

    def consumer(self, topic: str, positions: Mapping[int, int], *, shared: bool = False) -> Consumer:
        """``shared``: it may be read together with other consumers, all of which are polled all the time."""

    def producer(self, transactional_id: str, compressed: Collection[str] = ()) -> Producer:
        """``compressed``: topics whose records are worth compressing."""

    async def send(self, record: OutputRecord) -> None:
        """One record outside the engine's transactions (INSERT VALUES); acknowledged when it returns."""

    def read_all(self, topic: str) -> AsyncIterator[list[InputRecord]]:
        """Everything committed from the start to the present end, in batches."""
