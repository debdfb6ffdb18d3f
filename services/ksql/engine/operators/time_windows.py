"""Aggregation in TUMBLING and HOPPING windows.

A window is late when its end is at or before stream time less grace; each window of a hopping row by itself. Windows
whose start lies a whole retention (size and grace, unless the statement says more) before the newest one's are evicted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.ksql.engine.column_batch import ColumnBatch
from services.ksql.engine.operators.aggregate import AggregateNode
from services.ksql.engine.operators.base import PRESENT, Context, Entry, Key, Node, Row
from services.ksql.engine.operators.batch_aggregation import BatchAggregation, State, group_rows
from services.ksql.engine.operators.group_store import WindowStore
from services.ksql.engine.operators.windowing import StreamTime, grace_of
from services.ksql.engine.partitioning import KeyCache
from services.ksql.engine.records import Window
from services.ksql.engine.state import Store
from services.ksql.model.plan import AggregateStep, WindowSpec

#: rows in one window step: key, start of the last window they are in, newest time, how many, their states together
_RowGroup = tuple[Key, int, int, int, list[Any]]
#: so many different combinations of key and step can be numbered
_MOST_PLACES = 1 << 62
#: fewer rows than this are not worth another cut
_SMALL = 32


class TimeWindowAggregate(AggregateNode):
    kind = "window-aggregate"

    def __init__(self, context: Context, step: AggregateStep, source: Node, spec: WindowSpec) -> None:
        super().__init__(context, step, source)
        self._size = spec.size_ms
        self._advance = spec.advance_ms
        self._grace = grace_of(spec.grace_ms, spec.size_ms)
        self._retention = max(spec.retention_ms or 0, self._size + self._grace)
        self._keys = KeyCache(context.encode_key, context.partitions)
        self._clock = StreamTime(self.name, context)
        self._store = WindowStore(self.name, context.tracked, self.aggregates)
        self._newest: dict[int, int] = {}

    def row(self, r: Row, t: int, w: Window | None) -> None:
        key = self.group(r, t, w)
        if key is None:
            return
        partition = self._keys.partition(key)
        closed = self._clock.advance(partition, t) - self._grace
        aggregates, data, size = self.aggregates, self._store.data, self._size
        values = aggregates.values(r, t, w)
        first = max(0, t - size + self._advance) // self._advance * self._advance
        pending = self._pending
        for start in range(first, t + 1, self._advance):
            if start + size <= closed:
                self.context.stats.drop(self.name, "late")
                continue
            slot = (start, key)
            state = data.get(slot)
            window = (key, (start, start + size))
            if state is None:
                before = None
                state = aggregates.initial(t)
                self._store.put(slot, state)
                self._open(partition, start)
            else:
                before = PRESENT if pending is not None and window in pending else self.old(key, state)
                if t > state[0]:  # noqa: PLR1730 - the hottest line: a comparison is cheaper than max
                    state[0] = t
            aggregates.update(state, values)
            if pending is None:
                self._store.mark_dirty(slot)
                self.down.change(key, aggregates.finish(key, state), before, state[0], window[1])
            elif window not in pending:
                pending[window] = (before, state)

    def columns(self, batch: ColumnBatch) -> None:
        """With a cache, rows are grouped by key and step of the windows; each group goes into its windows as a whole."""
        bulk = self.aggregates.bulk
        if self._pending is None or bulk is None or self._size % self._advance:
            super().columns(batch)
            return
        keys, numbers = self.groups(batch)
        steps = batch.times // self._advance
        first = int(steps.min())
        span = int(steps.max()) - first + 1
        if span * len(keys) >= _MOST_PLACES:
            super().columns(batch)
            return
        found = [
            (keys[place // span], (place % span + first) * self._advance, int(batch.times[rows].max()), rows)
            for place, rows in group_rows(numbers * span + (steps - first))
        ]
        closed = self._closed([(key, last, newest) for key, last, newest, _ in found])
        if closed is None:
            self._in_halves(batch)
            return
        columns = [make() for make in self.aggregates.value_columns(batch)]
        self._bring_in(
            [
                (key, last, newest, len(rows), bulk.fold(len(rows), [column[rows] for column in columns]))
                for key, last, newest, rows in found
            ],
            closed,
            bulk,
        )

    def _in_halves(self, batch: ColumnBatch) -> None:
        """The batch closes a window that has rows in it: the smaller it is, the fewer rows must go one by one."""
        half = len(batch) // 2
        if half < _SMALL:
            super().columns(batch)
            return
        self.columns(batch.select(slice(0, half)))
        self.columns(batch.select(slice(half, None)))

    def _bring_in(self, row_groups: Iterable[_RowGroup], closed: Mapping[int, int], bulk: BatchAggregation) -> None:
        drop = self.context.stats.drop
        for key, last, newest, count, folded in row_groups:
            if None in key:
                drop(self.name, "null_key", count)
                continue
            for start in range(max(0, last - self._size + self._advance), last + 1, self._advance):
                if start + self._size <= closed[self._keys.partition(key)]:
                    drop(self.name, "late", count)
                else:
                    bulk.merge(self._state(key, start, newest), folded)

    def _closed(self, row_groups: Sequence[tuple[Key, int, int]]) -> dict[int, int] | None:
        """Advances the clocks; for each partition the end up to which windows are closed. None, and nothing is done, if a
        window that has rows closes within the batch: then the order of the rows decides which of them are late."""
        newest: dict[int, int] = {}
        for key, _, t in row_groups:
            if None not in key:
                partition = self._keys.partition(key)
                newest[partition] = max(t, newest.get(partition, -1))
        before = {partition: self._clock.now(partition) - self._grace for partition in newest}
        after = {partition: max(before[partition], t - self._grace) for partition, t in newest.items()}
        for key, last, _ in row_groups:
            if None in key:
                continue
            partition = self._keys.partition(key)
            first_end = max(0, last - self._size + self._advance) + self._size
            # the least end beyond what was closed at first
            beyond = before[partition] - (before[partition] - first_end) % self._advance + self._advance
            if max(first_end, beyond) <= min(after[partition], last + self._size):
                return None
        for partition, t in newest.items():
            self._clock.advance(partition, t)
        return after

    def _state(self, key: Key, start: int, newest: int) -> State:
        """The state of a window that is about to get rows up to the time ``newest``."""
        pending, slot = self._pending, (start, key)
        if pending is None:
            raise AssertionError("only with a cache")
        state = self._store.data.get(slot)
        window = (key, (start, start + self._size))
        before = None
        if state is None:
            state = self.aggregates.initial(newest)
            self._store.put(slot, state)
            self._open(self._keys.partition(key), start)
        else:
            if window not in pending:
                before = self.old(key, state)
            state[0] = max(state[0], newest)
        if window not in pending:
            pending[window] = (before, state)
        return state

    def sync_dirty(self) -> None:
        for key, w in self._pending or ():
            if w is not None:
                self._store.mark_dirty((w[0], key))

    def _open(self, partition: int, start: int) -> None:
        """Evicts what a newly opened window pushes out of its partition."""
        newest = self._newest.get(partition, -1)
        if start <= newest:
            return
        self._newest[partition] = start
        self._store.evict(start - self._retention, lambda key: self._keys.partition(key) == partition)

    def find(self, key: Key) -> Iterator[Entry]:
        for start in self._store.starts():
            state = self._store.get((start, key))
            if state is not None:
                yield key, (start, start + self._size), self.aggregates.finish(key, state), state[0]

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        state = None if w is None else self._store.get((w[0], key))
        return None if state is None else (self.aggregates.finish(key, state), state[0])

    def entries(self) -> Iterator[Entry]:
        for (start, key), state in sorted(self._store.data.items(), key=lambda item: item[0][0]):
            yield key, (start, start + self._size), self.aggregates.finish(key, state), state[0]

    def stores(self) -> tuple[Store[Any], ...]:
        return (self._store, self._clock.store)
