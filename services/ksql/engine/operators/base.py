"""What all operators share.

A stream operator gets ``row(r, t, w)``, or ``null_row`` where a record has no value. A table operator gets
``change(key, new, old, t, w)``; the rows hold key and value columns, None is absent. Where no operator downstream wants the
old row, ``old`` is ``PRESENT`` if there was one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.ksql.engine.column_batch import ColumnBatch
from services.ksql.engine.expressions import Layout
from services.ksql.engine.records import Output, Window
from services.ksql.engine.state import Store


@dataclass(slots=True)
class Stats:
    """``dropped`` counts by (operator, cause); causes are late, malformed, null_key, no_event_time, event_time_ahead ..."""

    consumed: int = 0
    produced: int = 0
    dropped: dict[tuple[str, str], int] = field(default_factory=dict)

    def drop(self, operator: str, cause: str, count: int = 1) -> None:
        self.dropped[operator, cause] = self.dropped.get((operator, cause), 0) + count

    def by_cause(self) -> dict[str, int]:
        """The drops of all operators together."""
        total: dict[str, int] = {}
        for (_, cause), count in self.dropped.items():
            total[cause] = total.get(cause, 0) + count
        return total


Row = tuple[Any, ...]
Key = tuple[Any, ...]
Entry = tuple[Key, Window | None, Row, int]

#: In place of an old row that no operator below needs.
PRESENT: Row = ("present",)


@dataclass(slots=True)
class Context:
    """What the operators of one query share."""

    partitions: int
    tracked: bool
    encode_key: Callable[[Sequence[Any]], bytes | None]
    properties: Mapping[str, str]
    stats: Stats = field(default_factory=Stats)
    out: list[Output] = field(default_factory=list)
    stream_time: int = -1
    names: dict[str, int] = field(default_factory=dict)

    def unique(self, kind: str) -> str:
        """A name for an operator: the same plan gives the same names."""
        number = self.names[kind] = self.names.get(kind, 0) + 1
        return f"{kind}-{number}"


class Node:
    """An operator. Subclasses override what they accept."""

    kind = "node"

    def __init__(self, context: Context, layout: Layout) -> None:
        self.context = context
        self.layout = layout
        self.name = context.unique(self.kind)
        self.down: Node = _END
        self.inputs: tuple[Node, ...] = ()

    def row(self, r: Row, t: int, w: Window | None) -> None:
        raise AssertionError(f"{self.name} takes no stream")

    def columns(self, batch: ColumnBatch) -> None:
        """Rows without a window, in order, column by column: the same as ``row`` for each."""
        row = self.row
        for r, t in batch.timed_rows():
            row(r, t, None)

    def null_row(self, r: Row, t: int, w: Window | None) -> None:
        """A record without a value ends here, unless an operator says otherwise."""

    def change(self, key: Key, new: Row | None, old: Row | None, t: int, w: Window | None) -> None:
        raise AssertionError(f"{self.name} takes no table")

    def get(self, key: Key, w: Window | None) -> tuple[Row, int] | None:
        """The present row of a table and its time."""
        raise AssertionError(f"{self.name} is no table")

    def find(self, key: Key) -> Iterator[Entry]:
        """All rows of a key: one, or one for each window."""
        found = self.get(key, None)
        if found is not None:
            yield key, None, found[0], found[1]

    def entries(self) -> Iterator[Entry]:
        """All present rows of a table."""
        raise AssertionError(f"{self.name} is no table")

    def flush(self) -> None:
        """Passes on changes that a cache holds back."""

    def sync_dirty(self) -> None:
        """Notes in the stores what was changed in place."""

    def stores(self) -> Sequence[Store[Any]]:
        """The stores that must survive a restart."""
        return ()

    def want_old(self) -> None:
        """Asks for full old rows in ``change``."""
        for node in self.inputs:
            node.want_old()

    def describe(self) -> str:
        """One line for EXPLAIN."""
        return ", ".join(self.layout.names)


class _End(Node):
    """The null object below a sink."""

    def __init__(self) -> None:
        self.name = "end"


_END: Node = _End()


def topology(end: Node) -> str:
    """One line for each operator, the sink first, inputs indented."""
    lines: list[str] = []

    def visit(node: Node, depth: int) -> None:
        lines.append(f"{'  ' * depth}> [ {node.name.upper().replace('-', '_')} ] | {node.describe()}")
        for source in node.inputs:
            visit(source, depth + 1)

    visit(end, 0)
    return "\n".join(lines)
