"""Chains queries: those that read the sink of another get its results within the transaction that writes them.

From the topic they can be read only after the commit, so that each further query of a chain would show its results one
commit later. Here the results of the whole chain become readable together. The topic remains the source of truth: a
reader whose position is not exactly the first of the new offsets reads them from the topic, and so does every restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from services.ksql.engine.chunk import Chunk
from services.ksql.engine.records import Headers, Output, OutputBatch
from services.ksql.runtime.broker import OffsetRange, TopicPartition
from services.ksql.runtime.query_task import STEP_RECORDS, PersistentTask, QueryState


class Chaining:
    """The chaining of one transaction. No query gets records twice, so that queries in a circle do not hold the transaction open."""

    def __init__(self, queries: Iterable[PersistentTask]) -> None:
        self._readers: dict[TopicPartition, list[PersistentTask]] = {}
        for query in queries:
            for tp in query.progress:
                self._readers.setdefault(tp, []).append(query)
        self._served: set[str] = set()

    async def __call__(
        self, records: Sequence[Output], spans: Mapping[TopicPartition, OffsetRange]
    ) -> list[PersistentTask]:
        """Delivers ``records``, which are at the offsets ``spans``, to their readers, which process them at once. Returns the readers."""
        read = [tp for tp in spans if tp in self._readers]
        if not read:
            return []
        written = _as_read(records, {tp: spans[tp] for tp in read})
        served = []
        for query in {query.id: query for tp in read for query in self._readers[tp]}.values():
            tps = [tp for tp in read if tp in query.progress]
            if query.id not in self._served and _is_at(query, tps, spans):
                self._served.add(query.id)
                for tp in tps:
                    query.deliver(tp, written[tp], position=spans[tp].end, end=spans[tp].end)
                for tp in _siblings(query, tps):
                    # the transaction is all that was under way for this topic: there is nothing to look for
                    query.release(tp)
                served.append((query, tps))
        for query, tps in served:
            while query.ready and query.backlog(tps):
                query.step(STEP_RECORDS)
                await asyncio.sleep(0)
        return [query for query, _ in served]


def _is_at(query: PersistentTask, tps: Iterable[TopicPartition], spans: Mapping[TopicPartition, OffsetRange]) -> bool:
    """Whether the records are the next of every partition. Partitions are merged by event time, so it is all of them or none."""
    return query.state is QueryState.RUNNING and all(
        spans[tp].verbatim and query.fetched[tp] == spans[tp].first for tp in tps
    )


def _siblings(query: PersistentTask, tps: Sequence[TopicPartition]) -> list[TopicPartition]:
    """The other partitions of the same topics."""
    topics = {tp.topic for tp in tps}
    return [tp for tp in query.progress if tp.topic in topics and tp not in tps]


class _TopicRecords:
    """The records of one partition, field by field."""

    def __init__(self) -> None:
        self.timestamps: list[int] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: list[Headers] = []

    def chunk(self, tp: TopicPartition, span: OffsetRange) -> Chunk:
        """What a reader of the topic would have fetched."""
        return Chunk(
            *tp,
            offsets=np.arange(span.first, span.end),
            timestamps=self.timestamps,
            keys=self.keys,
            values=self.values,
            headers=self.headers if any(self.headers) else None,
        )


def _as_read(records: Iterable[Output], spans: Mapping[TopicPartition, OffsetRange]) -> dict[TopicPartition, Chunk]:
    written = {tp: _TopicRecords() for tp in spans}
    for record in records:
        # a plain tuple finds a TopicPartition, and making one for each record would cost more than all else here
        tp = written.get(record[:2])  # type: ignore[call-overload]
        if tp is None:
            continue
        if isinstance(record, OutputBatch):
            tp.timestamps += record.timestamps
            tp.keys += record.keys
            tp.values += record.values
            tp.headers += [()] * len(record.keys)
        else:
            tp.timestamps.append(record.timestamp)
            tp.keys.append(record.key)
            tp.values.append(record.value)
            tp.headers.append(tuple(record.headers))
    return {tp: one.chunk(tp, spans[tp]) for tp, one in written.items()}
