"""State that is written out and taken back: a query goes on as if nothing had happened; a cache changes no final state."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog
from services.ksql.engine.query import Query
from services.ksql.engine.records import InputRecord, OutputRecord
from services.ksql.model.commands import CreateQuery
from services.ksql.model.plan import QueryPlan
from services.ksql.sql.parser import parse
from tests.drill import bound

_SOURCES = """
CREATE STREAM s (k STRING KEY, v INT, d DOUBLE, g STRING) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM r (k STRING KEY, w INT) WITH (kafka_topic='r', value_format='JSON', partitions=1);
CREATE TABLE t (k STRING PRIMARY KEY, w INT, f STRING) WITH (kafka_topic='t', value_format='JSON', partitions=1);
CREATE TABLE u (k STRING PRIMARY KEY, x INT) WITH (kafka_topic='u', value_format='JSON', partitions=1);
"""

_AGGREGATES = (
    "COUNT(*) AS c, COUNT_DISTINCT(v) AS cd, SUM(v) AS s, AVG(v) AS a, MIN(d) AS mi, MAX(d) AS ma, "
    "LATEST_BY_OFFSET(v) AS l, EARLIEST_BY_OFFSET(v, 2) AS e, COLLECT_LIST(v) AS cl, COLLECT_SET(v) AS cs, TOPK(v, 2) AS tk"
)

QUERIES = {
    "unwindowed": f"CREATE TABLE o AS SELECT g, {_AGGREGATES} FROM s GROUP BY g;",
    "tumbling": f"CREATE TABLE o AS SELECT g, {_AGGREGATES} FROM s WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 20 SECONDS) GROUP BY g;",
    "hopping": (
        "CREATE TABLE o AS SELECT g, COUNT(*) AS c FROM s "
        "WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 4 SECONDS, GRACE PERIOD 20 SECONDS) GROUP BY g HAVING COUNT(*) > 1;"
    ),
    "session": f"CREATE TABLE o AS SELECT g, {_AGGREGATES} FROM s WINDOW SESSION (5 SECONDS, GRACE PERIOD 20 SECONDS) GROUP BY g;",
    "final": (
        "CREATE TABLE o AS SELECT g, COUNT(*) AS c FROM s "
        "WINDOW TUMBLING (SIZE 5 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY g EMIT FINAL;"
    ),
    "stream-table": "CREATE STREAM o AS SELECT s.k AS k, v, w FROM s LEFT JOIN t ON s.k = t.k;",
    "stream-stream": (
        "CREATE STREAM o AS SELECT ROWKEY AS k, v, w FROM s FULL OUTER JOIN r WITHIN 5 SECONDS GRACE PERIOD 10 SECONDS ON s.k = r.k;"
    ),
    "table-table": "CREATE TABLE o AS SELECT ROWKEY AS k, w, x FROM t FULL OUTER JOIN u ON t.k = u.k;",
    "foreign-key": "CREATE TABLE o AS SELECT t.k AS k, w, x FROM t JOIN u ON t.f = u.k;",
    "table-filter": "CREATE TABLE o AS SELECT k, w + 1 AS w FROM t WHERE w > 0;",
    "table-aggregate": "CREATE TABLE o AS SELECT f, COUNT(*) AS c, SUM(w) AS s FROM t GROUP BY f;",
}


def plan_of(sql: str) -> QueryPlan:
    catalog = Catalog()
    for parsed in parse(_SOURCES):
        catalog.apply(Analyzer(catalog).analyze(parsed.ast))
    command = Analyzer(catalog).analyze(parse(sql)[0].ast)
    assert isinstance(command, CreateQuery)
    return command.plan


def _value(topic: str, number: int, group: str | None) -> bytes | None:
    text = "null" if group is None else f'"{group}"'
    if topic == "s":
        return f'{{"V":{number},"D":{number / 4},"G":{text}}}'.encode()
    if number == 0 and topic in "tu":
        return None
    return f'{{"W":{number},"X":{number},"F":{text}}}'.encode()


events = st.lists(
    st.tuples(
        st.sampled_from("sssrttu"),
        st.sampled_from("abc"),
        st.integers(0, 60).map(lambda n: n * 1000),
        st.integers(-2, 5),
        # as JSON escapes it: half of a surrogate pair, which UTF-8 cannot carry
        st.sampled_from(["a", "b", "\\ud800", None]),
    ),
    max_size=40,
)
Event = tuple[str, str, int, int, str | None]


def records(found: Sequence[Event]) -> list[InputRecord]:
    return [
        InputRecord(topic, 0, offset, t, key.encode(), _value(topic, number, group))
        for offset, (topic, key, t, number, group) in enumerate(found)
    ]


def last(outputs: Sequence[OutputRecord]) -> dict[bytes | None, bytes]:
    state = {out.key: out.value for out in outputs}
    return {key: value for key, value in state.items() if value is not None}


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=bound(25, 1_500))
@given(found=events, cut=st.integers(0, 40))
def test_a_query_goes_on_with_the_state_it_wrote(name: str, found: Sequence[Event], cut: int) -> None:
    plan = plan_of(QUERIES[name])
    stream = records(found)
    whole = Query(plan, partitions=3)
    first = Query(plan, partitions=3)
    changelog: dict[tuple[str, bytes], bytes | None] = {}
    for record in stream[:cut]:
        assert whole.process(record) == first.process(record)
        changelog.update({(store, key): value for store, key, value in first.changes()})
    second = Query(plan, partitions=3)
    for (store, key), value in changelog.items():
        second.restore(store, key, value)
    second.restored()
    for record in stream[cut:]:
        assert second.process(record) == whole.process(record)


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=bound(25, 1_500))
@given(found=events, cuts=st.sets(st.integers(0, 40)))
def test_the_cuts_into_batches_do_not_matter(name: str, found: Sequence[Event], cuts: set[int]) -> None:
    plan = plan_of(QUERIES[name])
    stream = records(found)
    single = Query(plan, partitions=3)
    one_by_one = [out for record in stream for out in single.process(record)]
    batched, cached = Query(plan, partitions=3), Query(plan, partitions=3, cached=True)
    in_batches: list[OutputRecord] = []
    flushed: list[OutputRecord] = []
    start = 0
    for end in [*sorted(c for c in cuts if c < len(stream)), len(stream)]:
        in_batches += batched.process_batch(stream[start:end])
        flushed += cached.process_batch(stream[start:end])
        flushed += cached.flush()
        start = end
    assert in_batches == one_by_one
    assert last(flushed) == last(one_by_one)
    assert len(flushed) <= len(one_by_one)
