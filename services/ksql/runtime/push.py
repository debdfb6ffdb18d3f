"""Starts push queries, and pull queries over streams, which read to the present end and stop."""

from __future__ import annotations

from secrets import randbits

from services.ksql.engine.query import Query
from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import SourceKind
from services.ksql.runtime.broker import TopicPartition
from services.ksql.runtime.core import Core
from services.ksql.runtime.query_task import TransientQuery


async def open_push(core: Core, plan: QueryPlan, *, earliest: bool, to_end: bool = False) -> TransientQuery:
    """Runs ``plan`` from the first or the next record on; with ``to_end`` only as far as there is something now.

    Raises:
        BrokerError: a topic cannot be read.
    """
    positions: dict[TopicPartition, int] = {}
    ends: dict[TopicPartition, int] = {}
    partitions = 1
    tables_first = sorted(plan.sources, key=lambda source: source.kind is not SourceKind.TABLE)
    for topic in dict.fromkeys(source.topic for source in tables_first):
        bounds = await core.broker.bounds(topic)
        for partition, bound in sorted(bounds.items()):
            tp = TopicPartition(topic, partition)
            positions[tp] = bound.start if earliest or to_end else bound.end
            ends[tp] = bound.end
        if topic == plan.sources[0].topic:
            partitions = len(bounds)
    query = TransientQuery(
        f"transient_{plan.sources[0].name}_{randbits(63)}",
        Query(plan, partitions=partitions),
        positions,
        backlog=core.options.push_backlog,
        limit=plan.limit,
        ends=ends if to_end else None,
    )
    core.engine.open_transient(query)
    return query
