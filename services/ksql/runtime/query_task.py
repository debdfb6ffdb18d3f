"""A running query: a ``Query`` of the engine with its merged input, its positions and an output.

There are two outputs. A persistent query has a ``CommitOutput``: its results wait for the next commit. A push query, or a pull query over
a stream, has a ``ClientOutput``: its rows wait for one client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import structlog

from services.ksql.engine.chunk import Chunk, MergedBatch
from services.ksql.engine.query import OnDrop, Query
from services.ksql.engine.records import Output, count_of
from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import DataSource, SourceKind
from services.ksql.runtime.broker import Broker, TopicPartition
from services.ksql.runtime.merge import NEVER, EventTimeMerger
from services.ksql.runtime.state_log import StoredQuery

_log = structlog.get_logger(__name__)

Row = Sequence[Any]

#: records in one step: some 5 to 10 ms of work
STEP_RECORDS = 4_000


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """A persistent query as the command log has it, whether it runs or not.

    ``statement`` is the whole text as ksqlDB prints it; ``properties`` are the streams properties it came with.
    """

    id: str
    plan: QueryPlan
    sink: DataSource
    statement: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    paused: bool = False
    creates_sink: bool = True

    @property
    def from_earliest(self) -> bool:
        """Where it starts to read: ``auto.offset.reset``, by default the end."""
        value = self.properties.get(
            "ksql.streams.auto.offset.reset", self.properties.get("auto.offset.reset", "latest")
        )
        return str(value).lower() == "earliest"

    @property
    def merges_updates(self) -> bool:
        """Whether a table's updates of one key between two commits become one: not with a record cache of 0 bytes."""
        for name in ("statestore.cache.max.bytes", "cache.max.bytes.buffering"):
            value = self.properties.get(f"ksql.streams.{name}", self.properties.get(name))
            if value is not None:
                return str(value).strip() != "0"
        return True

    @property
    def input_topics(self) -> tuple[str, ...]:
        """See ``input_topics``."""
        return input_topics(self.plan)


def input_topics(plan: QueryPlan) -> tuple[str, ...]:
    """Topics to read, tables first: at equal times a row of a table is there before the event that looks it up."""
    tables_first = sorted(plan.sources, key=lambda source: source.kind is not SourceKind.TABLE)
    return tuple(dict.fromkeys(source.topic for source in tables_first))


class QueryState(StrEnum):
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    ERROR = "ERROR"


@dataclass(slots=True)
class Pending:
    """What one query has done since the last commit."""

    outputs: list[Output]
    changes: list[tuple[str, bytes, bytes | None]]
    positions: dict[TopicPartition, int]


@dataclass(slots=True)
class PartitionProgress:
    """``position`` is the next offset to read, ``end`` the end of the partition as far as is known."""

    position: int
    end: int


@dataclass(slots=True)
class Meter:
    """Counters for DESCRIBE EXTENDED and /metrics."""

    consumed: dict[str, int] = field(default_factory=dict)
    consumed_bytes: dict[str, int] = field(default_factory=dict)
    produced: int = 0
    last_consumed_ms: int = 0
    last_produced_ms: int = 0


class TaskOutput(Protocol):
    """Where the results of a task go."""

    @property
    def is_full(self) -> bool:
        """Whether the task must not process more now."""

    @property
    def dirty(self) -> bool:
        """Whether there is something to commit."""

    @property
    def uncommitted(self) -> int:
        """How many records wait for the next commit."""

    @property
    def oldest_ms(self) -> int:
        """The event time of the oldest record whose results are not committed."""

    def add(self, query: Query, outputs: Sequence[Output], oldest_ms: int | None) -> None:
        """Takes the results of one step; ``oldest_ms`` is the least event time among its records."""

    def progressed(self, progress: Mapping[TopicPartition, PartitionProgress]) -> None:
        """The task's positions have moved."""

    def fail(self, query: Query, message: str) -> None:
        """The task has stopped by an error."""


class CommitOutput:
    """Results wait here until a transaction takes them."""

    is_full = False

    def __init__(self) -> None:
        self._outputs: list[Output] = []
        self.uncommitted = 0
        #: true at first, so that the start positions are durable
        self.dirty = True
        #: event time of the oldest record whose results wait for the next commit, and for the one under way
        self._oldest_processed = self._oldest_drained = NEVER
        self._draining = False

    @property
    def oldest_ms(self) -> int:
        return min(self._oldest_processed, self._oldest_drained)

    @property
    def is_committed(self) -> bool:
        """Whether nothing waits for a commit, nor is in one that is under way."""
        return not (self.dirty or self._draining)

    def add(self, query: Query, outputs: Sequence[Output], oldest_ms: int | None) -> None:
        if oldest_ms is not None:
            self._oldest_processed = min(self._oldest_processed, oldest_ms)
        self._outputs.extend(outputs)
        self.uncommitted += count_of(outputs)
        self.dirty = True

    def progressed(self, progress: Mapping[TopicPartition, PartitionProgress]) -> None:
        """Positions are read at the commit."""

    def fail(self, query: Query, message: str) -> None:
        """Discards uncommitted results."""
        self._outputs = []
        self.uncommitted = 0
        self.dirty = self._draining = False

    def drain(self) -> list[Output]:
        """What waits for a commit, which begins now."""
        outputs, self._outputs = self._outputs, []
        self.uncommitted = 0
        self.dirty, self._draining = False, True
        self._oldest_drained, self._oldest_processed = self.oldest_ms, NEVER
        return outputs

    def mark_committed(self) -> None:
        """What was drained can be read, or its readers have it."""
        self._draining = False
        self._oldest_drained = NEVER


class ClientOutput:
    """Rows wait here until the client takes them; the task processes nothing while ``backlog`` rows wait.

    With ``ends`` the query is over when it has read up to these offsets (a pull query over a stream), with ``limit`` after so many rows.
    """

    dirty = False
    uncommitted = 0
    oldest_ms = NEVER

    def __init__(
        self,
        query_id: str,
        *,
        backlog: int,
        limit: int | None = None,
        ends: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        self.id = query_id
        self._rows: list[Row] = []
        self._backlog = backlog
        self._remaining = limit
        self._ends = ends
        self._changed = asyncio.Event()
        self._finished = self.limit_reached = limit == 0
        self._error: str | None = None

    @property
    def is_full(self) -> bool:
        return self._finished or len(self._rows) >= self._backlog

    def add(self, query: Query, outputs: Sequence[Output], oldest_ms: int | None) -> None:
        self._add(query.poll_rows())

    def progressed(self, progress: Mapping[TopicPartition, PartitionProgress]) -> None:
        if self._ends is not None and all(progress[tp].position >= end for tp, end in self._ends.items()):
            self.finish()

    def fail(self, query: Query, message: str) -> None:
        """The client gets the rows so far, then the error."""
        self._add(query.poll_rows())
        self._error = message
        self.finish()

    def finish(self) -> None:
        """Ends the query; a client that waits gets the rows so far."""
        self._finished = True
        self._changed.set()

    async def take(self) -> list[Row] | None:
        """The rows since the last call, as soon as there are any; None when the query is over.

        Raises:
            RuntimeError: the query failed.
        """
        while not self._rows:
            if self._error is not None:
                raise RuntimeError(self._error)
            if self._finished:
                return None
            self._changed.clear()
            await self._changed.wait()
        rows, self._rows = self._rows, []
        return rows

    def _add(self, rows: Sequence[Row]) -> None:
        if self._finished or not rows:
            return
        if self._remaining is not None:
            rows = rows[: self._remaining]
            self._remaining -= len(rows)
        self._rows.extend(rows)
        if self._remaining == 0:
            self.limit_reached = True
            self.finish()
        self._changed.set()


O = TypeVar("O", bound=TaskOutput)  # noqa: E741


class QueryTask(Generic[O]):
    """One running query. Partitions must be given in the order that decides ties: tables before streams."""

    def __init__(self, query_id: str, query: Query, positions: Mapping[TopicPartition, int], output: O) -> None:
        self.id = query_id
        self.query = query
        self.output = output
        self.state = QueryState.RUNNING
        self.error: str | None = None
        self.meter = Meter()
        self.progress = {tp: PartitionProgress(position, -1) for tp, position in positions.items()}
        self._merger = EventTimeMerger(query.event_times)
        for tp in positions:
            self._merger.open(tp)
        #: the next offset to be delivered, per partition
        self.fetched = dict(positions)
        #: the positions of the last commit, and of the one under way
        self._committed = self._drained = self.positions
        self._upstream: Sequence[QueryTask[CommitOutput]] = ()
        self._max_skew_ms = 0
        output.progressed(self.progress)

    def restore(self, stored: StoredQuery) -> None:
        """Puts back the state of the last commit."""
        for (store, key), value in stored.entries.items():
            self.query.restore(store, key, value)
        self.query.restored()

    @property
    def positions(self) -> dict[TopicPartition, int]:
        """The next offset to read, per partition: exactly what has been processed, no more."""
        return {tp: progress.position for tp, progress in self.progress.items()}

    @property
    def ready(self) -> bool:
        """Whether ``step`` would do something."""
        return (
            self.state is QueryState.RUNNING
            and not self.output.is_full
            and self._merger.ready
            and self._merger.next_ms <= self._limit_ms()
        )

    @property
    def dirty(self) -> bool:
        """Whether there is something to commit."""
        return self.output.dirty

    @property
    def uncommitted(self) -> int:
        """How many output records wait for the next commit."""
        return self.output.uncommitted

    def align_behind(self, upstream: Sequence[QueryTask[CommitOutput]], max_skew_ms: int) -> None:
        """From now on takes nothing that is newer, by more than ``max_skew_ms``, than the watermarks of these queries."""
        self._upstream, self._max_skew_ms = upstream, max_skew_ms

    @property
    def watermark_ms(self) -> int:
        """The event time of the oldest record that is here, or may be, and whose results are not committed."""
        if self.state is not QueryState.RUNNING:
            return NEVER
        return min(self._merger.next_ms, self.output.oldest_ms)

    def _limit_ms(self) -> int:
        return min([query.watermark_ms for query in self._upstream], default=NEVER) + self._max_skew_ms

    @property
    def lag(self) -> int:
        """Records of all partitions not processed yet, as far as is known."""
        return sum(max(0, p.end - p.position) for p in self.progress.values())

    @property
    def upstream(self) -> Sequence[QueryTask[CommitOutput]]:
        """The queries whose watermarks this one waits for."""
        return self._upstream

    @property
    def has_input(self) -> bool:
        """Whether there is something to process, here or, as far as is known, at the brokers."""
        return self._merger.size > 0 or self.lag > 0

    @property
    def obstacle(self) -> str | None:
        """What the next record waits for outside this query, None if for nothing: ``step`` should process it."""
        missing = [f"{tp.topic}-{tp.partition}" for tp in self.progress if self._merger.is_waiting_for(tp)]
        if missing:
            return f"waits for records of {', '.join(missing)}"
        if not self._merger.size:
            return "its records have not been fetched"
        behind = [query.id for query in self._upstream if query.has_input or query.dirty]
        if behind and self._merger.next_ms > self._limit_ms():
            return f"waits for the watermark of {', '.join(behind)}"
        return None

    def backlog(self, tps: Iterable[TopicPartition]) -> int:
        """How many records of these partitions are here and not processed yet."""
        return sum(self._merger.backlog(tp) for tp in tps)

    def dropped(self) -> dict[str, int]:
        """Records dropped, by cause."""
        return dict(self.query.stats.by_cause())

    def wants(self, tp: TopicPartition, backlog: int) -> bool:
        if self.state is QueryState.ERROR:
            return True
        return self._merger.is_waiting_for(tp) or self._merger.backlog(tp) < backlog

    def deliver(self, tp: TopicPartition, chunk: Chunk | None, *, position: int, end: int) -> None:
        if self.state is QueryState.ERROR:
            # It processes nothing any more, and must not delay the other subscribers of the consumer.
            return
        # records before that came by chaining already
        fetched = self.fetched[tp]
        position = max(position, fetched)
        chunk = chunk.between(fetched, position) if chunk is not None else None
        self._merger.add(tp, chunk, at_end=position >= end >= 0, now_ms=_now_ms())
        self.fetched[tp] = position
        self.progress[tp].end = end
        if not self._merger.backlog(tp):
            self.progress[tp].position = position
            self.output.progressed(self.progress)

    def mark_polled(self, tp: TopicPartition, checked_ms: int) -> bool:
        waited = self._merger.holding
        self._merger.mark_polled(tp, checked_ms)
        return waited

    def release(self, tp: TopicPartition) -> None:
        """Nothing older will arrive in this partition: fetched records need not wait for a poll of it."""
        self._merger.release(tp, _now_ms())

    def step(self, limit: int) -> int:
        """Processes up to ``limit`` records; gives how many. An error of the engine stops this query alone: what it did
        since the last commit is discarded, the records are read again at its next start."""
        merged = self._merger.take(limit, now := _now_ms(), self._limit_ms())
        if not merged:
            return 0
        try:
            outputs = self.query.process_merged(merged, now)
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}")
            _log.exception("query failed", query=self.id)
            return 0
        self.output.add(self.query, outputs, merged.oldest)
        self._count(merged)
        self.output.progressed(self.progress)
        return len(merged)

    def fail(self, message: str) -> None:
        """Puts the query into error and discards uncommitted results."""
        self.state = QueryState.ERROR
        self.error = message
        self.output.fail(self.query, message)

    def drain(self: QueryTask[CommitOutput]) -> Pending | None:
        """Gives what must be committed together; later results belong to the next commit. None if the query failed."""
        outputs = self.output.drain()
        try:
            outputs.extend(self.query.flush())
            changes = self.query.changes()
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}")
            _log.exception("query failed", query=self.id)
            return None
        self.meter.produced += count_of(outputs)
        if outputs:
            self.meter.last_produced_ms = _now_ms()
        self._drained = self.positions
        return Pending(outputs, changes, self._drained)

    def mark_committed(self: QueryTask[CommitOutput]) -> None:
        """What was drained is durable."""
        self._committed = self._drained
        self.output.mark_committed()

    @property
    def committed(self: QueryTask[CommitOutput]) -> dict[TopicPartition, int]:
        """The next offset to read, per partition, after everything whose results are committed."""
        return self.positions if self.output.is_committed else self._committed

    def _count(self, merged: MergedBatch) -> None:
        consumed, consumed_bytes = self.meter.consumed, self.meter.consumed_bytes
        for chunk_slice in merged.slices:
            chunk = chunk_slice.chunk
            consumed[chunk.topic] = consumed.get(chunk.topic, 0) + len(chunk_slice)
            size = chunk.size(chunk_slice.start, chunk_slice.end)
            consumed_bytes[chunk.topic] = consumed_bytes.get(chunk.topic, 0) + size
            read_to = int(chunk.offsets[chunk_slice.end - 1]) + 1
            self.progress[TopicPartition(chunk.topic, chunk.partition)].position = read_to
        for tp, entry in self.progress.items():
            if not self._merger.backlog(tp):
                entry.position = self.fetched[tp]
        self.meter.last_consumed_ms = _now_ms()


#: a query whose results are committed
PersistentTask = QueryTask[CommitOutput]
#: a query whose rows go to one client
ClientTask = QueryTask[ClientOutput]


@dataclass(frozen=True, slots=True)
class StartPositions:
    """``positions``: the offsets where a query begins to read, in the order that decides ties; ``ends``: the ends of what can be read
    now; ``partitions``: the number of partitions of the plan's first source."""

    positions: dict[TopicPartition, int]
    ends: dict[TopicPartition, int]
    partitions: int


async def start_positions(
    broker: Broker, plan: QueryPlan, *, earliest: bool, committed: Mapping[TopicPartition, int] | None = None
) -> StartPositions:
    """Begins at the ``committed`` offsets, as far as the records are still there; without any, at the beginning or the end of the topics.
    A partition that was added since is read from its beginning.

    Raises:
        UnknownTopic: one of the topics is not there.
        BrokerError: a topic cannot be read.
    """
    positions: dict[TopicPartition, int] = {}
    ends: dict[TopicPartition, int] = {}
    for topic in input_topics(plan):
        for partition, bounds in sorted((await broker.bounds(topic)).items()):
            tp = TopicPartition(topic, partition)
            known = committed.get(tp) if committed else None
            start = bounds.start if earliest or committed else bounds.end
            positions[tp] = max(known, bounds.start) if known is not None else start
            ends[tp] = bounds.end
    partitions = sum(tp.topic == plan.sources[0].topic for tp in positions)
    return StartPositions(positions, ends, max(1, partitions))


async def persistent_task(
    spec: QuerySpec,
    stored: StoredQuery | None,
    broker: Broker,
    sink_partitions: int,
    *,
    max_ahead_ms: int | None,
    on_drop: OnDrop | None = None,
) -> PersistentTask:
    """The query at the positions and with the state that are ``stored``.

    Raises:
        UnknownTopic: one of its topics is not there.
    """
    start = await start_positions(
        broker, spec.plan, earliest=spec.from_earliest, committed=stored.offsets if stored else None
    )
    query = Query(
        spec.plan,
        partitions=start.partitions,
        sink_partitions=sink_partitions,
        cached=spec.merges_updates,
        max_ahead_ms=max_ahead_ms,
        on_drop=on_drop,
    )
    task = QueryTask(spec.id, query, start.positions, CommitOutput())
    if stored is not None:
        task.restore(stored)
    return task


def _now_ms() -> int:
    return int(time.time() * 1000)
