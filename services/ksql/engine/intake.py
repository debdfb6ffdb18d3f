"""Cuts what was taken from the partitions into parts that a query can process at one go, in order.

A part is rows of one plain stream as columns, or records that are looked at one by one: those of tables, records without a
value or that are dropped, and parts too small for columns to be worth it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import ClassVar, Final

import numpy as np

from services.ksql.engine.chunk import Integers, Taken
from services.ksql.engine.columns import Columns, joined
from services.ksql.engine.operators.source import Source

#: no event time is later
NEVER: Final = (1 << 63) - 1

Part = Taken | tuple[Source, Columns]


class Intake:
    """``streams`` are the sources that read plain streams, by topic. Event times more than ``max_ahead`` ahead of the clock are dropped:
    of the record's timestamp, or of ``now`` where that is the event time; None is no limit."""

    #: fewer records than this are processed row by row: arrays cost more to make than they save
    few: ClassVar[int] = 48

    def __init__(self, streams: Mapping[str, Source], max_ahead: int | None, now: int | None) -> None:
        self._streams = streams
        self._max_ahead = max_ahead
        self._now = now

    def parts(self, taken: Taken) -> Iterator[Part]:
        """The parts of ``taken`` in the order of processing."""
        topics = sorted({piece.chunk.topic for piece in taken.pieces})
        if len(topics) == 1:
            yield from self._of_topic(topics[0], taken)
            return
        numbers = {topic: number for number, topic in enumerate(topics)}
        of_piece = [numbers[piece.chunk.topic] for piece in taken.pieces]
        kinds = np.repeat(of_piece, [len(piece) for piece in taken.pieces])[taken.order]
        cuts = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
        if len(cuts) > len(taken) // self.few + 2:
            yield taken
            return
        for start, end in pairwise(cuts):
            topic = topics[kinds[start]]
            pieces = [piece for piece in taken.pieces if piece.chunk.topic == topic]
            yield from self._of_topic(topic, Taken(pieces, _within(taken, topic)[taken.order[start:end]]))

    def _of_topic(self, topic: str, taken: Taken) -> Iterator[Part]:
        source = self._streams.get(topic)
        if source is None or source.origins is None or len(taken) < self.few:
            yield taken
            return
        readings = [(source.reader.read(piece.chunk), piece) for piece in taken.pieces]
        all_times = joined([reading.times[piece.start : piece.end] for reading, piece in readings])
        order, times = taken.order, all_times[taken.order]
        lost = times < 0
        if self._max_ahead is not None and self._now is not None:
            stamps = joined([piece.chunk.timestamps[piece.start : piece.end] for piece in taken.pieces])[order]
            lost |= times - self._max_ahead > (self._now if source.uses_record_time else stamps)
        if lost.any():
            # they are only counted, so it does not matter when
            yield Taken(taken.pieces, order[lost])
            order, times = order[~lost], times[~lost]
        if any(reading.nulls for reading, _ in readings):
            empty = joined([_marked(reading.nulls, piece.start, piece.end) for reading, piece in readings])[order]
            cuts = np.flatnonzero(empty).tolist()
        else:
            cuts = []
        start = 0
        for cut in [*cuts, len(order)]:
            if cut > start:
                part, part_times = order[start:cut], times[start:cut]
                batch = source.columns_of(taken.pieces, part, part_times) if cut - start >= self.few else None
                yield Taken(taken.pieces, part) if batch is None else (source, batch)
            if cut < len(order):
                yield Taken(taken.pieces, order[cut : cut + 1])
            start = cut + 1


def _within(taken: Taken, topic: str) -> Integers:
    """For each place among all records its place among those of one topic."""
    mine = [np.full(len(piece), piece.chunk.topic == topic) for piece in taken.pieces]
    return np.cumsum(np.concatenate(mine), dtype=np.int64) - 1


def _marked(places: frozenset[int], start: int, end: int) -> Integers:
    marks = np.zeros(end - start, dtype=np.int64)
    marks[[place - start for place in places if start <= place < end]] = 1
    return marks
