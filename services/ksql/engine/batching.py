"""Cuts what was taken from the partitions into parts that a query can process at one go, in order.

A part is rows of one plain stream as columns, or records that are processed one by one: those of tables, records without a
value or that are dropped, and parts too small for columns to be worth it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import ClassVar, Final

from services.ksql.engine.chunk import Integers, MergedBatch
from services.ksql.engine.column_batch import ColumnBatch, joined
from services.ksql.engine.operators.source import Source
from shared.lazy_numpy import np

#: no event time is later
NEVER: Final = (1 << 63) - 1

Part = MergedBatch | tuple[Source, ColumnBatch]


class BatchCutter:
    """``streams`` are the sources that read plain streams, by topic. Event times more than ``max_ahead`` ahead of the clock are dropped:
    of the record's timestamp, or of ``now`` where that is the event time; None is no limit."""

    #: fewer records than this are processed row by row: arrays cost more to make than they save
    few: ClassVar[int] = 48

    def __init__(self, streams: Mapping[str, Source], max_ahead: int | None, now: int | None) -> None:
        self._streams = streams
        self._max_ahead = max_ahead
        self._now = now

    def parts(self, merged: MergedBatch) -> Iterator[Part]:
        """The parts of ``merged`` in the order of processing."""
        topics = sorted({chunk_slice.chunk.topic for chunk_slice in merged.slices})
        if len(topics) == 1:
            yield from self._of_topic(topics[0], merged)
            return
        numbers = {topic: number for number, topic in enumerate(topics)}
        of_piece = [numbers[chunk_slice.chunk.topic] for chunk_slice in merged.slices]
        kinds = np.repeat(of_piece, [len(chunk_slice) for chunk_slice in merged.slices])[merged.order]
        cuts = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
        if len(cuts) > len(merged) // self.few + 2:
            yield merged
            return
        for start, end in pairwise(cuts):
            topic = topics[kinds[start]]
            slices = [chunk_slice for chunk_slice in merged.slices if chunk_slice.chunk.topic == topic]
            yield from self._of_topic(topic, MergedBatch(slices, _within(merged, topic)[merged.order[start:end]]))

    def _of_topic(self, topic: str, merged: MergedBatch) -> Iterator[Part]:
        source = self._streams.get(topic)
        if source is None or not source.has_columns or len(merged) < self.few:
            yield merged
            return
        readings = [(source.reader.read(chunk_slice.chunk), chunk_slice) for chunk_slice in merged.slices]
        all_times = joined([reading.times[chunk_slice.start : chunk_slice.end] for reading, chunk_slice in readings])
        order, times = merged.order, all_times[merged.order]
        lost = times < 0
        if self._max_ahead is not None and self._now is not None:
            stamps = joined(
                [chunk_slice.chunk.timestamps[chunk_slice.start : chunk_slice.end] for chunk_slice in merged.slices]
            )[order]
            lost |= times - self._max_ahead > (self._now if source.uses_record_time else stamps)
        if lost.any():
            # they are only counted, so it does not matter when
            yield MergedBatch(merged.slices, order[lost])
            order, times = order[~lost], times[~lost]
        if any(reading.nulls for reading, _ in readings):
            empty = joined(
                [_marked(reading.nulls, chunk_slice.start, chunk_slice.end) for reading, chunk_slice in readings]
            )[order]
            cuts = np.flatnonzero(empty).tolist()
        else:
            cuts = []
        start = 0
        for cut in [*cuts, len(order)]:
            if cut > start:
                part, part_times = order[start:cut], times[start:cut]
                batch = source.columns_of(merged.slices, part, part_times) if cut - start >= self.few else None
                yield MergedBatch(merged.slices, part) if batch is None else (source, batch)
            if cut < len(order):
                yield MergedBatch(merged.slices, order[cut : cut + 1])
            start = cut + 1


def _within(merged: MergedBatch, topic: str) -> Integers:
    """For each place among all records its place among those of one topic."""
    mine = [np.full(len(chunk_slice), chunk_slice.chunk.topic == topic) for chunk_slice in merged.slices]
    return np.cumsum(np.concatenate(mine), dtype=np.int64) - 1


def _marked(places: frozenset[int], start: int, end: int) -> Integers:
    marks = np.zeros(end - start, dtype=np.int64)
    marks[[place - start for place in places if start <= place < end]] = 1
    return marks
