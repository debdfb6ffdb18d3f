"""Hands what a query has written to the queries that read it, within the transaction that writes it.

Read from the topic it could be only after the commit, so that each further query of a chain would show its results one
commit later. Handed over here, the results of the whole chain become readable together. The topic stays the truth: a
reader that does not stand exactly where the new records begin reads them from there, and so does every restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from time import time

import numpy as np

from services.ksql.engine.chunk import Chunk
from services.ksql.engine.records import Headers
from services.ksql.runtime.broker import Lane, OutgoingRun, Span, Written
from services.ksql.runtime.running import QueryState, RunningQuery

#: records in one step, as in the pump
_SLICE = 4_000
#: more than the merger's margin between a record's arrival and a look at the lanes that are empty
_AHEAD_MS = 1_000


class Handover:
    """One transaction's. No query is handed anything twice, so that queries in a circle do not hold the transaction open."""

    def __init__(self, queries: Iterable[RunningQuery]) -> None:
        self._readers: dict[Lane, list[RunningQuery]] = {}
        for query in queries:
            for lane in query.progress:
                self._readers.setdefault(lane, []).append(query)
        self._served: set[str] = set()

    async def __call__(self, records: Sequence[Written], spans: Mapping[Lane, Span]) -> list[RunningQuery]:
        """Gives ``records``, which lie at ``spans``, to their readers, and lets these process them. Gives the readers."""
        read = [lane for lane in spans if lane in self._readers]
        if not read:
            return []
        written = _as_read(records, {lane: spans[lane] for lane in read})
        served = []
        for query in {query.id: query for lane in read for query in self._readers[lane]}.values():
            lanes = [lane for lane in read if lane in query.progress]
            if query.id not in self._served and _stands_at(query, lanes, spans):
                self._served.add(query.id)
                for lane in lanes:
                    query.deliver(lane, written[lane], position=spans[lane].end, end=spans[lane].end)
                for lane in _siblings(query, lanes):
                    # the transaction is all that was under way for this topic: there is nothing to look for
                    query.confirm(lane, int(time() * 1000) + _AHEAD_MS)
                served.append((query, lanes))
        for query, lanes in served:
            while query.ready and query.backlog(lanes):
                query.step(_SLICE)
                await asyncio.sleep(0)
        return [query for query, _ in served]


def _stands_at(query: RunningQuery, lanes: Iterable[Lane], spans: Mapping[Lane, Span]) -> bool:
    """Whether the records are the next of every lane. Partitions are read in step, so it is all of them or none."""
    return query.state is QueryState.RUNNING and all(
        spans[lane].verbatim and query.fetched[lane] == spans[lane].first for lane in lanes
    )


def _siblings(query: RunningQuery, lanes: Sequence[Lane]) -> list[Lane]:
    """The other partitions of the same topics."""
    topics = {lane.topic for lane in lanes}
    return [lane for lane in query.progress if lane.topic in topics and lane not in lanes]


class _Written:
    """The records of one lane, field by field."""

    def __init__(self) -> None:
        self.timestamps: list[int] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: list[Headers] = []

    def chunk(self, lane: Lane, span: Span) -> Chunk:
        """What a reader of the topic would have fetched."""
        return Chunk(
            *lane,
            offsets=np.arange(span.first, span.end),
            timestamps=self.timestamps,
            keys=self.keys,
            values=self.values,
            headers=self.headers if any(self.headers) else None,
        )


def _as_read(records: Iterable[Written], spans: Mapping[Lane, Span]) -> dict[Lane, Chunk]:
    written = {lane: _Written() for lane in spans}
    for record in records:
        # a plain tuple finds a Lane, and making one for each record would cost more than all else here
        lane = written.get(record[:2])  # type: ignore[call-overload]
        if lane is None:
            continue
        if isinstance(record, OutgoingRun):
            lane.timestamps += record.timestamps
            lane.keys += record.keys
            lane.values += record.values
            lane.headers += [()] * len(record.keys)
        elif record.timestamp is not None:
            lane.timestamps.append(record.timestamp)
            lane.keys.append(record.key)
            lane.values.append(record.value)
            lane.headers.append(tuple(record.headers))
    return {lane: one.chunk(lane, spans[lane]) for lane, one in written.items()}
