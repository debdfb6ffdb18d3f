"""Writes results: serialises keys and values, and with a cache keeps only the newest state of each key until it is flushed."""

from __future__ import annotations

import struct
from itertools import cycle
from typing import Any

from services.ksql.engine.column_batch import ColumnBatch
from services.ksql.engine.operators.base import Context, Key, Node, Row
from services.ksql.engine.partitioning import KeyCache
from services.ksql.engine.records import OutputBatch, OutputRecord, Window
from services.ksql.model.schema import DataSource
from services.ksql.serde.base import append_window, extractor
from services.ksql.serde.formats import encoder, many_encoder


class Sink(Node):
    kind = "sink"

    """``partitions``: of the sink topic. A record goes to the partition of its key without the window, as Java's producer chooses it;
    records without a key are spread round robin."""

    def __init__(
        self,
        context: Context,
        source: Node,
        sink: DataSource,
        *,
        partitions: int,
        cached: bool,
        keep_nulls: bool = False,
    ) -> None:
        super().__init__(context, source.layout)
        self.inputs = (source,)
        self._topic = sink.topic
        self._nk = len(sink.schema.key)
        self._window_type = sink.window.type if sink.window else None
        self._keys = KeyCache(encoder(sink.key_format, sink.schema.key, is_key=True, keep_nulls=keep_nulls), partitions)
        self._round_robin = cycle(range(partitions))
        self._encode_value = encoder(sink.value_format, sink.schema.value)
        self._encode_many = many_encoder(sink.value_format, sink.schema.value)
        self._cached = cached
        #: key bytes -> (new row, key columns, time, whether the sink never saw the key)
        self._buffer: dict[bytes | None, tuple[Row | None, Key, int, bool]] = {}
        self._time_at: int | None = None
        if sink.timestamp is not None:
            names = [c.name for c in sink.schema.columns]
            self._time_at = names.index(sink.timestamp.name)
            self._extract = extractor(sink.timestamp)

    def row(self, r: Row, t: int, w: Window | None) -> None:
        self._write(r[: self._nk], r, t, w)

    def columns(self, batch: ColumnBatch) -> None:
        if self._time_at is not None or self._encode_many is None:
            super().columns(batch)
            return
        lists = batch.lists()
        values = self._encode_many(lists[self._nk :])
        if values is None:
            super().columns(batch)
            return
        rows = list(zip(*lists[: self._nk], strict=True)) if self._nk else [()] * len(batch)
        self.context.stats.produced += len(rows)
        entries = {row: self._keys.entry(row) for row in dict.fromkeys(rows)}
        keyed = [entries[row] for row in rows]
        places: dict[int, list[int]] = {}
        for at, (key, partition) in enumerate(keyed):
            places.setdefault(next(self._round_robin) if key is None else partition, []).append(at)
        times = batch.times.tolist()
        for partition, own in places.items():
            self.context.out.append(
                OutputBatch(
                    self._topic,
                    partition,
                    [keyed[at][0] for at in own],
                    [values[at] for at in own],
                    [times[at] for at in own],
                )
            )

    def null_row(self, r: Row, t: int, w: Window | None) -> None:
        self._write(r[: self._nk], None, t, w)

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        if not self._cached:
            self._write(key, new, t, w)
            return
        data = self._windowed(self._keys.entry(key)[0], w)
        before = self._buffer.pop(data, None)
        fresh = old is None if before is None else before[3]
        if new is not None or not fresh:
            self._buffer[data] = (new, key, t, fresh)

    def _windowed(self, plain: bytes | None, w: Window | None) -> bytes | None:
        if w is None or plain is None or self._window_type is None:
            return plain
        return append_window(plain, w, self._window_type)

    def _write(self, key: Row, r: Row | None, t: int, w: Window | None) -> None:
        self._send(self._windowed(self._keys.entry(key)[0], w), key, r, t)

    def _send(self, data: bytes | None, key: Key, r: Row | None, t: int) -> None:
        if self._time_at is not None and r is not None:
            try:
                t = self._extract(r[self._time_at])
            except ValueError:
                t = -1
            if t < 0:
                self.context.stats.drop(self.name, "no_event_time")
                return
        try:
            value = None if r is None else self._encode_value(r[self._nk :])
        except (ValueError, TypeError, struct.error):
            self.context.stats.drop(self.name, "unserialisable")
            return
        self.context.stats.produced += 1
        partition = next(self._round_robin) if data is None else self._keys.entry(key)[1]
        self.context.out.append(OutputRecord(self._topic, partition, data, value, t))

    def flush(self) -> None:
        """Sends what the cache holds, in the order of the last change."""
        for data, (new, key, t, _) in self._buffer.items():
            self._send(data, key, new, t)
        self._buffer.clear()

    def describe(self) -> str:
        return self._topic


class Poll(Node):
    """The end of a transient push query: its value columns wait here to be polled, row by row."""

    kind = "poll"

    def __init__(self, context: Context, source: Node, limit: int | None) -> None:
        super().__init__(context, source.layout)
        self.inputs = (source,)
        self.waiting: list[list[Any]] = []
        self._nk = source.layout.keys
        self._left = limit

    def row(self, r: Row, t: int, w: Window | None) -> None:
        if self._left is None or self._left > 0:
            self.waiting.append(list(r[self._nk :]))
            self._left = None if self._left is None else self._left - 1

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        if new is not None:
            self.row(new, t, w)
