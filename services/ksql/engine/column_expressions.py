"""Expressions over columns, computed where they are asked for.

A plain column is itself. The value of what depends on one text only is looked up by the text; everything else is computed row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.ksql.engine.columns import Columns, Make, objects
from services.ksql.engine.expressions import Evaluate, by_text, compile_one
from services.ksql.engine.layout import Layout
from services.ksql.model import expression as ex

Compute = Callable[[Columns], Make]


def compile_columns(expressions: Sequence[ex.Expression], layout: Layout) -> Callable[[Columns], list[Make]]:
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


def _each(value: Evaluate, batch: Columns) -> list[object]:
    return [value(row, t, None) for row, t in batch.batch()]
