"""Queries of clients.

A pull query over a table reads the state of the query that keeps it. A push query is a task that reads topics; a pull query over a stream
is one that reads to the present end.
"""

from __future__ import annotations

from secrets import randbits
from typing import Any

from services.ksql.engine.client_rows import candidates, evaluate
from services.ksql.engine.query import Query
from services.ksql.errors import KsqlError
from services.ksql.model.plan import PullPlan, QueryPlan
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
    return list(evaluate(plan, candidates(running.query, plan)))


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
