"""Queries of clients.

A pull query over a table gives rows of its state, narrowed by key and window, filtered and projected. A push query is a task that reads
topics; a pull query over a stream is one that reads to the present end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from secrets import randbits
from typing import Any

from services.ksql.engine.expressions import compile_predicate, compile_row, layout_of
from services.ksql.engine.query import Query
from services.ksql.engine.records import TableRow
from services.ksql.errors import KsqlError
from services.ksql.model.plan import QueryPlan
from services.ksql.model.pull import PullPlan, Range
from services.ksql.runtime.core import Core
from services.ksql.runtime.query_task import ClientOutput, QueryTask, start_positions


def pull(core: Core, plan: PullPlan) -> list[tuple[Any, ...]]:
    """The rows of a pull query, as they are now.

    Raises:
        KsqlError: the table is not kept as state by a running query.
    """
    writer = core.command_runner.catalog.materialised_by(plan.source.name)
    running = core.query_manager.queries.get(writer.id) if writer else None
    if running is None:
        raise KsqlError(f"The table {plan.source.name} is not served now: its query is not running.")
    return list(evaluate(plan, _candidates(running.query, plan)))


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


def _candidates(query: Query, plan: PullPlan) -> Iterable[TableRow]:
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


async def open_push(core: Core, plan: QueryPlan, *, earliest: bool, to_end: bool = False) -> ClientOutput:
    """Runs ``plan`` from the first or the next record on; with ``to_end`` only as far as there is something now.

    Raises:
        BrokerError: a topic cannot be read.
    """
    start = await start_positions(core.broker, plan, earliest=earliest or to_end)
    output = ClientOutput(
        f"transient_{plan.sources[0].name}_{randbits(63)}",
        backlog=core.options.push_backlog,
        limit=plan.limit,
        ends=start.ends if to_end else None,
    )
    query = Query(plan, partitions=start.partitions)
    core.query_manager.open_transient(QueryTask(output.id, query, start.positions, output))
    return output
