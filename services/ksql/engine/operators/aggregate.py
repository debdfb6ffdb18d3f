"""GROUP BY: what windowed and unwindowed aggregations share, and the unwindowed one over streams and tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.ksql.engine.column_batch import ColumnBatch, compile_columns
from services.ksql.engine.expressions import compile_row, layout_of
from services.ksql.engine.operators.base import PRESENT, Context, Entry, Key, Node, Row
from services.ksql.engine.operators.batch_aggregation import Aggregates, Groups, State, grouped
from services.ksql.engine.operators.group_store import GroupStore
from services.ksql.engine.records import Window
from services.ksql.engine.state import Store
from services.ksql.model.plan import AggregateStep


class AggregateNode(Node):
    """The base of the three ways to aggregate."""

    kind = "aggregate"

    def __init__(self, context: Context, step: AggregateStep, source: Node) -> None:
        super().__init__(context, layout_of(step.schema))
        self.inputs = (source,)
        self.aggregates = Aggregates(context, step, source)
        self._group = compile_row([g.expression for g in step.group_by], source.layout)
        self._group_columns = compile_columns([g.expression for g in step.group_by], source.layout)
        self._wants_old = False
        #: with a cache: (key, window) -> (old row, state) of what changed since the last flush; a state of None is a tombstone
        self._pending: dict[tuple[Key, Window | None], tuple[Row | None, State | None]] | None = None

    def want_old(self) -> None:
        self._wants_old = True

    def enable_cache(self) -> None:
        """Holds changes back until ``flush``, so that only the newest state of each key and window is emitted."""
        self._pending = {}

    def flush(self) -> None:
        if not self._pending:
            return
        self.sync_dirty()
        pending, self._pending = self._pending, {}
        finish, change = self.aggregates.finish, self.down.change
        for (key, w), (before, state) in pending.items():
            if state is not None:
                change(key, finish(key, state), before, state[0], w)
            elif before is not None and w is not None:
                change(key, None, before, w[1], w)

    def groups(self, batch: ColumnBatch) -> Groups:
        """The groups of all rows, those with a NULL in their key too."""
        return grouped([make() for make in self._group_columns(batch)])

    def group(self, r: Row, t: int, w: Window | None) -> Key | None:
        """The group of a row; None, and counted, where a group expression is NULL."""
        key: Key = self._group(r, t, w)
        if None in key:
            self.context.stats.drop(self.name, "null_key")
            return None
        return key

    def old(self, key: Key, state: State) -> Row:
        return self.aggregates.finish(key, state) if self._wants_old else PRESENT


class Aggregate(AggregateNode):
    """Aggregates without a window; over a table the old row is undone first."""

    def __init__(self, context: Context, step: AggregateStep, source: Node) -> None:
        super().__init__(context, step, source)
        source.want_old()
        self._store = GroupStore(self.name, context.tracked, self.aggregates)

    def row(self, r: Row, t: int, w: Window | None) -> None:
        key = self.group(r, t, w)
        if key is not None:
            self._apply(key, self.aggregates.values(r, t, w), None, t)

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        if new is None and old is None:
            return
        old_group, old_values = self._grouped(old, t, w)
        new_group, new_values = self._grouped(new, t, w)
        if old_group is not None and old_group == new_group:
            self._apply(old_group, new_values, old_values, t)
            return
        if old_group is not None:
            self._apply(old_group, None, old_values, t)
        if new_group is not None:
            self._apply(new_group, new_values, None, t)

    def _grouped(self, r: Row | None, t: int, w: Window | None) -> tuple[Key | None, Row | None]:
        group = None if r is None else self.group(r, t, w)
        return (None, None) if r is None or group is None else (group, self.aggregates.values(r, t, w))

    def _apply(self, group: Key, added: Row | None, undone: Row | None, t: int) -> None:
        state = self._store.get(group)
        pending, slot = self._pending, (group, None)
        before = None
        if state is None:
            state = self.aggregates.initial(t)
        else:
            before = PRESENT if pending is not None and slot in pending else self.old(group, state)
            state[0] = max(state[0], t)
        if undone is not None:
            self.aggregates.undo(state, undone)
        if added is not None:
            self.aggregates.update(state, added)
        self._store.put(group, state)
        if pending is None:
            self.down.change(group, self.aggregates.finish(group, state), before, state[0], None)
        elif slot not in pending:
            pending[slot] = (before, state)

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        state = self._store.get(key)
        return None if state is None else (self.aggregates.finish(key, state), state[0])

    def entries(self) -> Iterator[Entry]:
        for key, state in self._store.data.items():
            yield key, None, self.aggregates.finish(key, state), state[0]

    def stores(self) -> tuple[Store[Any], ...]:
        return (self._store,)
