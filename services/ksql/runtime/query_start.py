"""Makes a query ready to run: where it begins to read, and with what state."""

from __future__ import annotations

from services.ksql.engine.query import Query
from services.ksql.runtime.broker import Broker, Lane
from services.ksql.runtime.query_spec import QuerySpec
from services.ksql.runtime.running import RunningQuery
from services.ksql.runtime.state_log import StoredQuery


async def make_query(
    query: QuerySpec, stored: StoredQuery | None, broker: Broker, max_ahead_ms: int | None
) -> RunningQuery:
    """The query at the positions and with the state that are ``stored``; without, at the beginning or end of its topics.

    Raises:
        UnknownTopic: one of its topics is not there.
    """
    positions: dict[Lane, int] = {}
    partitions = 1
    left = query.plan.sources[0].topic
    for topic in query.input_topics:
        for partition, bounds in sorted((await broker.bounds(topic)).items()):
            lane = Lane(topic, partition)
            known = stored.offsets.get(lane) if stored else None
            start = bounds.start if query.from_earliest or (stored and stored.offsets) else bounds.end
            positions[lane] = max(known, bounds.start) if known is not None else start
            partitions = partition + 1 if topic == left else partitions
    engine = Query(query.plan, partitions=partitions, cached=query.merges_updates, max_ahead_ms=max_ahead_ms)
    running = RunningQuery(query.id, engine, positions)
    if stored is not None:
        running.restore(stored)
    return running
