"""Rows of clients: what a pull query reads of a table's state, and the record that INSERT INTO ... VALUES writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from services.ksql.engine.expressions import Layout, compile_one, compile_predicate, compile_row, layout_of
from services.ksql.engine.query import Query
from services.ksql.engine.records import TableRow
from services.ksql.errors import KsqlError
from services.ksql.model.commands import InsertValues
from services.ksql.model.plan import PullPlan, Range
from services.ksql.model.schema import DataSource
from services.ksql.serde.base import EncodeError
from services.ksql.serde.formats import encoder

_NOTHING = Layout((), 0)


def inserted_row(command: InsertValues) -> dict[str, Any]:
    """The values of an INSERT statement by column name; ROWTIME among them where it is given."""
    return {v.name: compile_one(v.expression, _NOTHING)((), 0, None) for v in command.values}


def encoded_row(target: DataSource, row: Mapping[str, Any]) -> tuple[bytes | None, bytes | None]:
    """Key and value of ``row`` (values by column name, of the columns' types; absent ones are NULL) in the formats of ``target``.

    Raises:
        KsqlError: a value does not fit.
    """
    schema = target.schema
    try:
        key = encoder(target.key_format, schema.key, is_key=True)([row.get(c.name) for c in schema.key])
        written = tuple(c for c in schema.value if c.header is None)
        value = encoder(target.value_format, written)([row.get(c.name) for c in written])
    except EncodeError as error:
        raise KsqlError(f"Failed to insert values into '{target.name}'. {error}") from error
    return key, value


def evaluate(plan: PullPlan, rows: Iterable[TableRow]) -> Iterator[tuple[Any, ...]]:
    """Filters and projects ``rows`` of the plan's table."""
    layout = layout_of(plan.source.schema)
    select = compile_row([item.expression for item in plan.select], layout)
    where = compile_predicate(plan.where, layout) if plan.where is not None else None

    def results() -> Iterator[tuple[Any, ...]]:
        for row in rows:
            if row.window is not None and not _in_window(row.window, plan):
                continue
            values = row.key + row.values
            if where is None or where(values, row.rowtime, row.window):
                yield select(values, row.rowtime, row.window)

    return results() if plan.limit is None else islice(results(), plan.limit)


def candidates(query: Query, plan: PullPlan) -> Iterable[TableRow]:
    """The rows of the state that the plan's keys allow."""
    if plan.keys is None:
        rows: Iterable[TableRow] = query.scan()
        if not plan.key_range.is_open:
            rows = (row for row in rows if within(row.key[0], plan.key_range))
        return rows
    return (row for key in dict.fromkeys(plan.keys) for row in query.lookup(key))


def _in_window(window: tuple[int, int], plan: PullPlan) -> bool:
    return within(window[0], plan.window_start) and within(window[1], plan.window_end)


def within(value: Any, bounds: Range) -> bool:
    """Whether ``value`` lies in ``bounds``; NULL lies nowhere."""
    if bounds.is_open:
        return True
    if value is None:
        return False
    low, high = bounds.low, bounds.high
    return (low is None or value > low or (bounds.low_inclusive and value == low)) and (
        high is None or value < high or (bounds.high_inclusive and value == high)
    )
