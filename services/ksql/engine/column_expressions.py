"""Expressions over columns, computed where they are asked for.

A plain column is itself. What depends on one text only, as the rule for a dimension does, is computed once for each different text of a
batch; everything else row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.ksql.engine.columns import Columns, Make, objects
from services.ksql.engine.expressions import Evaluate, compile_one, parts_of
from services.ksql.engine.layout import Layout
from services.ksql.model import typed_expressions as ex
from services.ksql.model.types import BaseType

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
    value = compile_one(expression, layout)
    if (text_at := _only_text(expression, layout)) is not None:
        return lambda batch: lambda: objects(_each_text(value, text_at, batch))
    return lambda batch: lambda: objects(_each(value, batch))


def _only_text(expression: ex.Expression, layout: Layout) -> int | None:
    """The place of the one VARCHAR column that decides the expression's value; None where there is more to it."""
    parts = list(parts_of(expression))
    columns = {part for part in parts if isinstance(part, ex.ColumnRef)}
    # without an argument it is the time, a random number, a UUID
    if len(columns) != 1 or any(isinstance(part, ex.Call) and not part.arguments for part in parts):
        return None
    (column,) = columns
    if column.type.base is not BaseType.STRING or column.name not in layout.names:
        return None
    return layout.names.index(column.name)


def _each_text(value: Evaluate, at: int, batch: Columns) -> list[object]:
    texts = batch.column(at).tolist()
    before = (None,) * at
    known = {text: value((*before, text), 0, None) for text in dict.fromkeys(texts)}
    return [known[text] for text in texts]


def _each(value: Evaluate, batch: Columns) -> list[object]:
    return [value(row, t, None) for row, t in batch.batch()]
