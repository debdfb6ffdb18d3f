"""Aggregation in SESSION windows.

A row joins every session of its key within the gap, both ends included; the old sessions get tombstones, oldest first,
then the merged one is written; only a session that is and stays a single instant gets no tombstone.

A session is late when its end lies before stream time less grace and gap. A session whose
end is a whole retention (grace and gap, unless the statement says more) behind the newest end has left the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from services.ksql.engine.column_batch import Column, ColumnBatch
from services.ksql.engine.operators.aggregate import AggregateNode
from services.ksql.engine.operators.base import Context, Entry, Key, Node, Row
from services.ksql.engine.operators.batch_aggregation import BatchAggregation, State, group_rows
from services.ksql.engine.operators.group_store import SessionStore
from services.ksql.engine.operators.windowing import SessionRun, StreamTime, grace_of
from services.ksql.engine.partitioning import KeyCache
from services.ksql.engine.records import Window
from services.ksql.engine.state import Store
from services.ksql.model.plan import AggregateStep, WindowSpec
from shared.lazy_numpy import np

#: rows between two that must be processed by themselves, for columns to be worth it
_MANY = 32


class SessionAggregate(AggregateNode):
    kind = "session-aggregate"

    def __init__(self, context: Context, step: AggregateStep, source: Node, spec: WindowSpec) -> None:
        super().__init__(context, step, source)
        self._gap = spec.size_ms
        self._grace = grace_of(spec.grace_ms, spec.size_ms)
        self._retention = max(spec.retention_ms or 0, self._gap + self._grace)
        self._keys = KeyCache(context.encode_key, context.partitions)
        self._clock = StreamTime(self.name, context)
        #: for each partition the greatest session end that was stored
        self._stored = StreamTime(f"{self.name}-stored", context)
        self._store = SessionStore(self.name, context.tracked, self.aggregates)
        self._swept: dict[int, int] = {}

    def row(self, r: Row, t: int, w: Window | None) -> None:
        key = self.group(r, t, w)
        if key is None:
            return
        partition = self._keys.partition(key)
        closed = self._clock.advance(partition, t) - self._grace - self._gap
        horizon = self._stored.now(partition) - self._retention
        sessions = self._store.get(key) or {}
        near = sorted(
            (one for one in sessions if one[1] >= t - self._gap and one[0] <= t + self._gap and one[1] > horizon),
            key=lambda one: (one[1], one[0]),
        )
        start = min([t, *(one[0] for one in near)])
        end = max([t, *(one[1] for one in near)])
        if end < closed:
            self.context.stats.drop(self.name, "late")
            return
        self._evict(partition, self._stored.advance(partition, end) - self._retention)
        sessions = self._store.get(key) or {}
        state: State | None = None
        before = None
        for window in near:
            gone = sessions.pop(window)
            if start == end:
                before = self._old(key, gone, window)
            else:
                self._tombstone(key, gone, window)
            state = gone if state is None else self.aggregates.merge(state, gone)
        if state is None:
            state = self.aggregates.initial(t)
        state[0] = end
        self.aggregates.update(state, self.aggregates.values(r, t, w))
        sessions[start, end] = state
        self._store.update(key, sessions, (start, end))
        if self._pending is None:
            self.down.change(key, self.aggregates.finish(key, state), before, end, (start, end))
            return
        slot = (key, (start, end))
        if slot in self._pending:
            before = self._pending[slot][0]
        self._pending[slot] = (before, state)

    def columns(self, batch: ColumnBatch) -> None:
        """With a cache, rows that lie within the newest session of their key, or lengthen it, are brought in together.

        Such a row meets no other session: sessions of a key lie further apart than the gap. It cannot be late either if
        the session is not at the end of the batch. Each other row is processed by itself, in order.
        """
        bulk = self.aggregates.bulk
        if self._pending is None or bulk is None:
            super().columns(batch)
            return
        keys, numbers = self.groups(batch)
        values = [make() for make in self.aggregates.value_columns(batch)]
        start = 0
        while start < len(batch):
            end = self._bring_in(keys, numbers[start:], batch.times[start:], [v[start:] for v in values], bulk) + start
            # where there are many such rows, the next ones are processed by themselves too
            rest = end + 1 if end - start > _MANY else end + _MANY
            if end < len(batch):
                super().columns(batch.select(slice(end, rest)))
            start = rest

    def _bring_in(
        self, keys: Sequence[Key], numbers: Column, times: Column, values: Sequence[Column], bulk: BatchAggregation
    ) -> int:
        """Brings in the first rows, as many as lengthen the newest sessions of their keys or lie within; gives how many."""
        top = int(times.max())
        runs = {}
        count = len(times)
        for number, rows in group_rows(numbers):
            run = self._begin(keys[number], top)
            if run is None:
                count = min(count, int(rows[0]))
                continue
            own = times[rows]
            ends = np.maximum.accumulate(np.concatenate(([run.end], own)))
            outside = np.flatnonzero((own < run.start) | (own > ends[:-1] + self._gap))
            if len(outside):
                count = min(count, int(rows[outside[0]]))
            runs[number] = run, rows, ends
        newest: dict[int, int] = {}
        for run, rows, ends in runs.values():
            run.count = int(np.searchsorted(rows, count))
            if run.count:
                run.end = int(ends[run.count])
                run.folded = bulk.fold(run.count, [column[rows[: run.count]] for column in values])
                newest[run.partition] = max(run.end, newest.get(run.partition, -1))
                self._finish(run, bulk)
        self._advance_and_evict(newest)
        return count

    def _begin(self, key: Key, top: int) -> SessionRun | None:
        """The newest session of a key, if it is still open at stream time ``top``."""
        sessions = None if None in key else self._store.get(key)
        if not sessions:
            return None
        start, end = max(sessions, key=itemgetter(1))
        partition = self._keys.partition(key)
        if end <= max(top, self._clock.now(partition)) - self._grace - self._gap:
            return None
        return SessionRun(key, partition, start, end)

    def _advance(self, newest: Mapping[int, int]) -> None:
        for partition, t in newest.items():
            self._clock.advance(partition, t)
            self._stored.advance(partition, t)

    def _advance_and_evict(self, newest: Mapping[int, int]) -> None:
        """Advances the stream times, and evicts the sessions that leave the store by that."""
        self._advance(newest)
        for partition in newest:
            self._evict(partition, self._stored.now(partition) - self._retention)

    def _finish(self, run: SessionRun, bulk: BatchAggregation) -> None:
        """Brings the rows of a run into its session."""
        pending, key = self._pending, run.key
        sessions = self._store.get(key)
        if run.folded is None or pending is None or sessions is None:
            return
        old, new = (run.start, run.first_end), (run.start, run.end)
        before = self._old(key, sessions[old], old)
        state = sessions.pop(old)
        bulk.merge(state, run.folded)
        state[0] = run.end
        sessions[new] = state
        self._store.update(key, sessions, new)
        if new == old:
            pending[key, new] = (before, state)
            return
        pending[key, old] = (before, None)
        known = pending.get((key, new))
        pending[key, new] = (None if known is None else known[0], state)

    def _old(self, key: Key, gone: State, window: Window) -> Row | None:
        """What the sink last saw of a session; None if nothing yet."""
        pending = self._pending
        return pending[key, window][0] if pending and (key, window) in pending else self.old(key, gone)

    def _tombstone(self, key: Key, gone: State, window: Window) -> None:
        """A tombstone for a session that has grown or was merged."""
        if self._pending is None:
            self.down.change(key, None, self.old(key, gone), window[1], window)
        else:
            self._pending[key, window] = (self._old(key, gone, window), None)

    def _evict(self, partition: int, horizon: int) -> None:
        """Evicts sessions that have left the store, once for each gap of stream time.

        Eviction depends on stream time alone, not on how its records were cut into batches.
        """
        step = horizon // self._gap * self._gap
        if step <= self._swept.get(partition, -1):
            return
        self._swept[partition] = step
        for key in list(self._store.data):
            if self._keys.partition(key) != partition:
                continue
            sessions = self._store.data[key]
            kept = {window: state for window, state in sessions.items() if window[1] >= step}
            if not kept:
                self._store.delete(key)
            elif len(kept) < len(sessions):
                self._store.put(key, kept)

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        state = None if w is None else (self._store.get(key) or {}).get(w)
        return None if state is None else (self.aggregates.finish(key, state), state[0])

    def find(self, key: Key) -> Iterator[Entry]:
        horizon = self._stored.now(self._keys.partition(key)) - self._retention
        for window, state in sorted((self._store.get(key) or {}).items()):
            if window[1] > horizon:
                yield key, window, self.aggregates.finish(key, state), state[0]

    def entries(self) -> Iterator[Entry]:
        for key in list(self._store.data):
            yield from self.find(key)

    def stores(self) -> tuple[Store[Any], ...]:
        return (self._store, self._clock.store, self._stored.store)
