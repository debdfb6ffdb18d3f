"""A query that runs: the engine's ``Query`` with its merged input, its positions, and what is not committed yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

from services.ksql.engine.chunk import Chunk, MergedBatch
from services.ksql.engine.query import Query
from services.ksql.engine.records import Output, count_of
from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import DataSource, SourceKind
from services.ksql.runtime.broker import Broker, TopicPartition
from services.ksql.runtime.merge import NEVER, EventTimeMerger
from services.ksql.runtime.state_log import StoredQuery


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """``statement`` is the whole text as ksqlDB prints it; ``properties`` are the streams properties it came with."""

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
        """Topics to read, tables first: at equal times a row of a table is there before the event that looks it up."""
        tables_first = sorted(self.plan.sources, key=lambda source: source.kind is not SourceKind.TABLE)
        return tuple(dict.fromkeys(source.topic for source in tables_first))


_log = structlog.get_logger(__name__)


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
    """Counters for people: DESCRIBE EXTENDED and /metrics."""

    consumed: dict[str, int] = field(default_factory=dict)
    consumed_bytes: dict[str, int] = field(default_factory=dict)
    produced: int = 0
    last_consumed_ms: int = 0
    last_produced_ms: int = 0


class QueryTask:
    """One query of the engine. Lanes must be given in the order that decides ties: tables before streams."""

    def __init__(self, query_id: str, query: Query, positions: Mapping[TopicPartition, int]) -> None:
        self.id = query_id
        self.query = query
        self.state = QueryState.RUNNING
        self.error: str | None = None
        self.meter = Meter()
        self.progress = {tp: PartitionProgress(position, -1) for tp, position in positions.items()}
        self._merger = EventTimeMerger(query.event_times)
        for tp in positions:
            self._merger.open(tp)
        #: the next offset to be delivered, per partition
        self.fetched = dict(positions)
        self._outputs: list[Output] = []
        #: how many output records wait for the next commit
        self.uncommitted = 0
        #: whether there is something to commit; true at first, so that the start positions are durable
        self.dirty = True
        self._upstream: list[QueryTask] = []
        self._max_skew_ms = 0
        #: event time of the oldest record whose results wait for the next commit, and for the one under way
        self._oldest_processed = self._oldest_drained = NEVER

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
        return self.state is QueryState.RUNNING and self._merger.ready and self._merger.next_ms <= self._limit_ms()

    def align_behind(self, upstream: list[QueryTask], max_skew_ms: int) -> None:
        """From now on takes nothing that is newer, by more than the leeway, than what is under way in these queries."""
        self._upstream, self._max_skew_ms = upstream, max_skew_ms

    @property
    def watermark_ms(self) -> int:
        """The event time of the oldest record that is here, or may be, and whose results have not been handed on."""
        if self.state is not QueryState.RUNNING:
            return NEVER
        return min(self._merger.next_ms, self._oldest_processed, self._oldest_drained)

    def mark_committed(self) -> None:
        """What was drained can be read, or its readers have it."""
        self._oldest_drained = NEVER

    def _limit_ms(self) -> int:
        return min([query.watermark_ms for query in self._upstream], default=NEVER) + self._max_skew_ms

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that is known to be there has been processed."""
        return self._merger.size == 0 and all(0 <= p.end <= p.position for p in self.progress.values())

    @property
    def lag(self) -> int:
        """Records of all partitions not processed yet, as far as is known."""
        return sum(max(0, p.end - p.position) for p in self.progress.values())

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
            # It takes no part any more, and must not hold up those that read the same consumer.
            return
        # what is before that came by way of the chaining already
        fetched = self.fetched[tp]
        position = max(position, fetched)
        chunk = chunk.between(fetched, position) if chunk is not None else None
        self._merger.add(tp, chunk, at_end=position >= end >= 0, now_ms=_now_ms())
        self.fetched[tp] = position
        self.progress[tp].end = end
        if not self._merger.backlog(tp):
            self.progress[tp].position = position

    def mark_polled(self, tp: TopicPartition, checked_ms: int) -> bool:
        waited = self._merger.holding
        self._merger.mark_polled(tp, checked_ms)
        return waited

    def step(self, limit: int) -> int:
        """Processes up to ``limit`` records; gives how many. An error of the engine stops this query alone: what it did
        since the last commit is forgotten, the records are read again when it is started anew."""
        merged = self._merger.take(limit, now := _now_ms(), self._limit_ms())
        if not merged:
            return 0
        if merged.oldest is not None:
            self._oldest_processed = min(self._oldest_processed, merged.oldest)
        try:
            outputs = self.query.process_merged(merged, now)
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}")
            _log.exception("query failed", query=self.id)
            return 0
        self._outputs.extend(outputs)
        self.uncommitted += count_of(outputs)
        self._count(merged)
        self.dirty = True
        return len(merged)

    def fail(self, message: str) -> None:
        """Stops the query for good, without what is not committed."""
        self.state = QueryState.ERROR
        self.error = message
        self._outputs = []
        self.uncommitted = 0
        self.dirty = False

    def drain(self) -> Pending | None:
        """Hands over what must be committed together, and begins anew. None if the query failed over it."""
        outputs, self._outputs = self._outputs, []
        self.uncommitted = 0
        self._oldest_drained, self._oldest_processed = min(self._oldest_drained, self._oldest_processed), NEVER
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
        self.dirty = False
        return Pending(outputs, changes, self.positions)

    def _count(self, merged: MergedBatch) -> None:
        consumed, consumed_bytes = self.meter.consumed, self.meter.consumed_bytes
        for chunk_slice in merged.slices:
            chunk = chunk_slice.chunk
            consumed[chunk.topic] = consumed.get(chunk.topic, 0) + len(chunk_slice)
            consumed_bytes[chunk.topic] = consumed_bytes.get(chunk.topic, 0) + chunk.size(
                chunk_slice.start, chunk_slice.end
            )
            self.progress[TopicPartition(chunk.topic, chunk.partition)].position = (
                int(chunk.offsets[chunk_slice.end - 1]) + 1
            )
        for tp, entry in self.progress.items():
            if not self._merger.backlog(tp):
                entry.position = self.fetched[tp]
        self.meter.last_consumed_ms = _now_ms()


def _now_ms() -> int:
    return int(time.time() * 1000)


async def make_query(
    query: QuerySpec, stored: StoredQuery | None, broker: Broker, max_ahead_ms: int | None
) -> QueryTask:
    """The query at the positions and with the state that are ``stored``; without, at the beginning or end of its topics.

    Raises:
        UnknownTopic: one of its topics is not there.
    """
    positions: dict[TopicPartition, int] = {}
    partitions = 1
    left = query.plan.sources[0].topic
    for topic in query.input_topics:
        for partition, bounds in sorted((await broker.bounds(topic)).items()):
            tp = TopicPartition(topic, partition)
            known = stored.offsets.get(tp) if stored else None
            start = bounds.start if query.from_earliest or (stored and stored.offsets) else bounds.end
            positions[tp] = max(known, bounds.start) if known is not None else start
            partitions = partition + 1 if topic == left else partitions
    engine = Query(query.plan, partitions=partitions, cached=query.merges_updates, max_ahead_ms=max_ahead_ms)
    running = QueryTask(query.id, engine, positions)
    if stored is not None:
        running.restore(stored)
    return running


Row = Sequence[Any]


class TransientQuery(QueryTask):
    """Rows wait here until the client takes them; the query stands still while ``backlog`` rows wait.

    With ``ends`` it is over when it has read up to these offsets (a pull query over a stream), with ``limit`` after so many rows.
    """

    def __init__(
        self,
        query_id: str,
        query: Query,
        positions: Mapping[TopicPartition, int],
        *,
        backlog: int,
        limit: int | None = None,
        ends: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        super().__init__(query_id, query, positions)
        self._rows: list[Row] = []
        self._backlog = backlog
        self._remaining = limit
        self._ends = ends
        self._changed = asyncio.Event()
        self.limit_reached = limit == 0
        self._finished = limit == 0 or (ends is not None and self._reached(ends))
        self.dirty = False

    @property
    def ready(self) -> bool:
        return not self._finished and len(self._rows) < self._backlog and super().ready

    def deliver(self, tp: TopicPartition, chunk: Chunk | None, *, position: int, end: int) -> None:
        super().deliver(tp, chunk, position=position, end=end)
        self._check_end()

    def step(self, limit: int) -> int:
        done = super().step(limit)
        self.dirty = False
        self._outputs.clear()
        self.uncommitted = 0
        self._add(self.query.poll_rows())
        self._check_end()
        if self.error is not None:
            self._finish()
        return done

    def close(self) -> None:
        """Ends the query; a client that waits gets what is there."""
        self._finish()

    async def take(self) -> list[Row] | None:
        """The rows since the last call, as soon as there are any; None when the query is over.

        Raises:
            RuntimeError: the query failed.
        """
        while not self._rows:
            if self.error is not None:
                raise RuntimeError(self.error)
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
            self._finish()
        self._changed.set()

    def _check_end(self) -> None:
        if self._ends is not None and self._reached(self._ends):
            self._finish()

    def _reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        return all(self.progress[tp].position >= end for tp, end in ends.items())

    def _finish(self) -> None:
        self._finished = True
        self._changed.set()
