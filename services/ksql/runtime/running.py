"""A query that runs: the engine's ``Query`` with its merged input, its positions, and what is not committed yet."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from services.ksql.engine.chunk import Chunk, Taken
from services.ksql.engine.query import Query
from services.ksql.engine.records import Output, count_of
from services.ksql.runtime.broker import Lane
from services.ksql.runtime.merge import NEVER, InStepMerger
from services.ksql.runtime.state_log import StoredQuery

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
    positions: dict[Lane, int]


@dataclass(slots=True)
class LaneProgress:
    """``position`` is the next offset to read, ``end`` the end of the lane as far as is known."""

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


class RunningQuery:
    """One query of the engine. Lanes must be given in the order that decides ties: tables before streams."""

    def __init__(self, query_id: str, query: Query, positions: Mapping[Lane, int]) -> None:
        self.id = query_id
        self.query = query
        self.state = QueryState.RUNNING
        self.error: str | None = None
        self.meter = Meter()
        self.progress = {lane: LaneProgress(position, -1) for lane, position in positions.items()}
        self._merger = InStepMerger(query.event_times)
        for lane in positions:
            self._merger.open(lane)
        #: the next offset to be delivered, per lane
        self.fetched = dict(positions)
        self._outputs: list[Output] = []
        #: how many output records wait for the next commit
        self.uncommitted = 0
        #: whether there is something to commit; true at first, so that the start positions are durable
        self.dirty = True
        self._upstream: list[RunningQuery] = []
        self._leeway_ms = 0
        #: event time of the oldest record whose results wait for the next commit, and for the one under way
        self._oldest_processed = self._oldest_drained = NEVER

    def restore(self, stored: StoredQuery) -> None:
        """Puts back the state of the last commit."""
        for (store, key), value in stored.entries.items():
            self.query.restore(store, key, value)
        self.query.restored()

    @property
    def positions(self) -> dict[Lane, int]:
        """The next offset to read, per lane: exactly what has been processed, no more."""
        return {lane: progress.position for lane, progress in self.progress.items()}

    @property
    def ready(self) -> bool:
        """Whether ``step`` would do something."""
        return self.state is QueryState.RUNNING and self._merger.ready and self._merger.next_ms <= self._limit_ms()

    def stay_behind(self, upstream: list[RunningQuery], leeway_ms: int) -> None:
        """From now on takes nothing that is newer, by more than the leeway, than what is under way in these queries."""
        self._upstream, self._leeway_ms = upstream, leeway_ms

    @property
    def frontier_ms(self) -> int:
        """The event time of the oldest record that is here, or may be, and whose results have not been handed on."""
        if self.state is not QueryState.RUNNING:
            return NEVER
        return min(self._merger.next_ms, self._oldest_processed, self._oldest_drained)

    def handed_on(self) -> None:
        """What was drained can be read, or its readers have it."""
        self._oldest_drained = NEVER

    def _limit_ms(self) -> int:
        return min([query.frontier_ms for query in self._upstream], default=NEVER) + self._leeway_ms

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that is known to be there has been processed."""
        return self._merger.size == 0 and all(0 <= p.end <= p.position for p in self.progress.values())

    @property
    def lag(self) -> int:
        """Records of all lanes not processed yet, as far as is known."""
        return sum(max(0, p.end - p.position) for p in self.progress.values())

    def backlog(self, lanes: Iterable[Lane]) -> int:
        """How many records of these lanes are here and not processed yet."""
        return sum(self._merger.backlog(lane) for lane in lanes)

    def dropped(self) -> dict[str, int]:
        """Records dropped, by cause."""
        return dict(self.query.stats.by_cause())

    def wants(self, lane: Lane, backlog: int) -> bool:
        if self.state is QueryState.ERROR:
            return True
        return self._merger.is_waiting_for(lane) or self._merger.backlog(lane) < backlog

    def deliver(self, lane: Lane, chunk: Chunk | None, *, position: int, end: int) -> None:
        if self.state is QueryState.ERROR:
            # It takes no part any more, and must not hold up those that read the same feed.
            return
        # what is before that came by way of the handover already
        fetched = self.fetched[lane]
        position = max(position, fetched)
        chunk = chunk.between(fetched, position) if chunk is not None else None
        self._merger.add(lane, chunk, at_end=position >= end >= 0, now_ms=_now_ms())
        self.fetched[lane] = position
        self.progress[lane].end = end
        if not self._merger.backlog(lane):
            self.progress[lane].position = position

    def confirm(self, lane: Lane, checked_ms: int) -> bool:
        waited = self._merger.holding
        self._merger.confirm(lane, checked_ms)
        return waited

    def step(self, limit: int) -> int:
        """Processes up to ``limit`` records; gives how many. An error of the engine stops this query alone: what it did
        since the last commit is forgotten, the records are read again when it is started anew."""
        taken = self._merger.take(limit, now := _now_ms(), self._limit_ms())
        if not taken:
            return 0
        if taken.oldest is not None:
            self._oldest_processed = min(self._oldest_processed, taken.oldest)
        try:
            outputs = self.query.process_taken(taken, now)
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}")
            _log.exception("query failed", query=self.id)
            return 0
        self._outputs.extend(outputs)
        self.uncommitted += count_of(outputs)
        self._count(taken)
        self.dirty = True
        return len(taken)

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

    def _count(self, taken: Taken) -> None:
        consumed, consumed_bytes = self.meter.consumed, self.meter.consumed_bytes
        for piece in taken.pieces:
            chunk = piece.chunk
            consumed[chunk.topic] = consumed.get(chunk.topic, 0) + len(piece)
            consumed_bytes[chunk.topic] = consumed_bytes.get(chunk.topic, 0) + chunk.size(piece.start, piece.end)
            self.progress[Lane(chunk.topic, chunk.partition)].position = int(chunk.offsets[piece.end - 1]) + 1
        for lane, entry in self.progress.items():
            if not self._merger.backlog(lane):
                entry.position = self.fetched[lane]
        self.meter.last_consumed_ms = _now_ms()


def _now_ms() -> int:
    return int(time.time() * 1000)
