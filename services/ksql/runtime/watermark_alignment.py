"""Watermark alignment: a query that reads the results of other queries and another topic does not run ahead of them.

A join of events with a table that another query makes reads two topics. In live traffic both are at their end. After an outage both have
a backlog, and the table's has to go through its query first: were the events not held back, all of them would be joined with rows of
before. So a query takes no record that is newer than the least watermark of the queries upstream, plus a maximum skew: a change takes
up to a commit interval to arrive, and live events must not wait for that. The skew is a multiple of the interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.ksql.runtime.query_task import PersistentTask, QuerySpec

#: how much newer than the watermark upstream a record may be: what comes in one interval is committed in the next
_SKEW_INTERVALS = 2


def align(queries: Mapping[str, PersistentTask], specs: Mapping[str, QuerySpec], commit_interval_s: float) -> None:
    """Aligns every query that reads more than one topic behind the queries upstream of it. Called whenever queries come or go."""
    max_skew_ms = round(_SKEW_INTERVALS * commit_interval_s * 1000)
    writers: dict[str, list[str]] = {}
    for query_id in queries:
        writers.setdefault(specs[query_id].sink.topic, []).append(query_id)
    for query_id, query in queries.items():
        topics = specs[query_id].input_topics
        above = _above(topics, writers, specs) if len(topics) > 1 else set()
        query.align_behind([queries[other] for other in sorted(above - {query_id})], max_skew_ms)


def _above(
    topics: Iterable[str],
    writers: Mapping[str, list[str]],
    specs: Mapping[str, QuerySpec],
    seen: frozenset[str] = frozenset(),
) -> set[str]:
    """Every query whose results reach these topics, however many queries lie between."""
    found = {query_id for topic in topics for query_id in writers.get(topic, ())} - seen
    further: set[str] = set()
    for query_id in found:
        further |= _above(specs[query_id].input_topics, writers, specs, seen | found)
    return found | further
