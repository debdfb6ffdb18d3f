"""Rows of a stream column by column, for operators that process many at once, and expressions over them.

A column is computed when an operator reads it. The value of an expression that depends on one text only is looked up by the text;
everything else is computed row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from services.ksql.engine.expressions import Evaluate, Layout, by_text, compile_one
from services.ksql.model import typed_expressions as ex
from shared.lazy_numpy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: int64 where all values are whole numbers and none is NULL; else Python's own objects, which may be None
Column: TypeAlias = "NDArray[Any]"
Make: TypeAlias = Callable[[], "Column"]
Mask: TypeAlias = "NDArray[Any]"


def objects(values: Sequence[Any]) -> Column:
    """A column of any values; lists are values too, not rows of an array."""
    return np.fromiter(values, dtype=object, count=len(values))


def is_whole(column: Column) -> bool:
    """Whether the column is an array of whole numbers without NULLs."""
    return column.dtype == np.int64


def joined(parts: Sequence[Column]) -> Column:
    """One column after the other."""
    if len(parts) == 1:
        return parts[0]
    if len({part.dtype for part in parts}) > 1:
        parts = [part if part.dtype == object else part.astype(object) for part in parts]
    return np.concatenate(parts)


class ColumnBatch:
    """Rows without a window, in order. A column is made on first access, once."""

    __slots__ = ("_made", "_makers", "_rows", "times")

    def __init__(self, makers: Sequence[Make], times: Column) -> None:
        self._makers = makers
        self._made: list[Column | None] = [None] * len(makers)
        self._rows: list[tuple[Any, ...]] | None = None
        #: the event time of each row, in ms
        self.times = times

    def __len__(self) -> int:
        return len(self.times)

    def column(self, at: int) -> Column:
        """The column at this place of the layout."""
        made = self._made[at]
        if made is None:
            made = self._made[at] = self._makers[at]()
        return made

    def maker(self, at: int) -> Make:
        """What gives the column later."""
        return lambda: self.column(at)

    def lists(self) -> list[list[Any]]:
        """All columns as Python's own values."""
        return [self.column(at).tolist() for at in range(len(self._makers))]

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows as tuples."""
        if self._rows is None:
            lists = self.lists()
            self._rows = list(zip(*lists, strict=True)) if lists else [()] * len(self)
        return self._rows

    def timed_rows(self) -> Iterator[tuple[tuple[Any, ...], int]]:
        """The rows with their times."""
        return zip(self.rows(), self.times.tolist(), strict=True)

    def select(self, which: Mask | slice) -> ColumnBatch:
        """The rows that a mask, a slice or positions name."""
        return ColumnBatch([self._selected(at, which) for at in range(len(self._makers))], self.times[which])

    def _selected(self, at: int, which: Mask | slice) -> Make:
        return lambda: self.column(at)[which]


Compute = Callable[[ColumnBatch], Make]


def compile_columns(expressions: Sequence[ex.Expression], layout: Layout) -> Callable[[ColumnBatch], list[Make]]:
    """For each expression what makes its column."""
    parts = [_compile(one, layout) for one in expressions]
    return lambda batch: [part(batch) for part in parts]


def _compile(expression: ex.Expression, layout: Layout) -> Compute:
    if isinstance(expression, ex.ColumnRef):
        if expression.name in layout.names:
            at = layout.names.index(expression.name)
            return lambda batch: batch.maker(at)
        if expression.name == "ROWTIME":
            return lambda batch: lambda: batch.times
    if (found := by_text(expression, layout)) is not None:
        text_at, values = found
        return lambda batch: lambda: objects([*map(values.__getitem__, batch.column(text_at).tolist())])
    value = compile_one(expression, layout)
    return lambda batch: lambda: objects(_each(value, batch))


def _each(value: Evaluate, batch: ColumnBatch) -> list[object]:
    return [value(row, t, None) for row, t in batch.timed_rows()]
