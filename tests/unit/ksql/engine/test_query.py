"""Malformed records, memory, pull lookups, transient queries, the shape of what comes out."""

from __future__ import annotations

import json

import pytest

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog
from services.ksql.engine.batching import BatchCutter
from services.ksql.engine.chunk import MergedBatch
from services.ksql.engine.query import Query
from services.ksql.engine.records import InputRecord, TableRow, flattened
from services.ksql.model.commands import CreateQuery, PushQuery
from services.ksql.sql.parser import parse
from shared.partitioner import partition_for
from tests.unit.ksql.engine.test_durability import _SOURCES, plan_of


def view(t: int, group: str = "a", number: int = 1, *, offset: int = 0, topic: str = "s") -> InputRecord:
    return InputRecord(topic, 0, offset, t, b"k", json.dumps({"V": number, "G": group, "D": 0.5}).encode())


def test_malformed_records_are_counted_and_stop_nothing() -> None:
    query = Query(plan_of("CREATE TABLE o AS SELECT g, COUNT(*) AS c FROM s GROUP BY g;"), max_ahead_ms=1000)
    malformed = [
        InputRecord("s", 0, 0, 5, b"k", b"not json"),
        InputRecord("s", 0, 1, 5, b"k", b'{"V":"x"}'),
        InputRecord("s", 0, 2, -1, b"k", b'{"V":1,"G":"a"}'),
        InputRecord("s", 0, 3, 2001, b"k", b'{"V":1,"G":"a"}'),
        InputRecord("s", 0, 4, 5, b"k", b'{"V":1,"G":null}'),
    ]
    assert query.process_batch(malformed, now_ms=1000) == []
    assert query.stats.by_cause() == {"malformed": 2, "no_event_time": 1, "event_time_ahead": 1, "null_key": 1}
    assert [query.event_time(record) for record in malformed[:3]] == [5, 5, None]
    (out,) = query.process(view(2000), now_ms=1000)
    assert (out.key, out.value, out.timestamp, out.partition) == (b"a", b'{"C":1}', 2000, 0)
    assert query.stats.consumed == 6
    assert query.stats.produced == 1
    assert query.stream_time == 2000


@pytest.mark.parametrize(
    "window", ["TUMBLING (SIZE 10 SECONDS", "HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS", "SESSION (3 SECONDS"]
)
def test_old_windows_are_evicted(window: str) -> None:
    plan = plan_of(
        f"CREATE TABLE o AS SELECT g, COUNT_DISTINCT(v) AS c FROM s WINDOW {window}, GRACE PERIOD 20 SECONDS) GROUP BY g;"
    )
    query = Query(plan)
    most = 0
    for number in range(20_000):
        query.process(view(number * 1000 + (5_000 if number % 7 == 0 else 0), group=f"g{number % 50}", number=number))
        if number % 500 == 0:
            query.changes()
            most = max(most, sum(1 for _ in query.scan()))
    assert 0 < most < 400


def test_stream_time_belongs_to_a_partition_of_the_group() -> None:
    sql = "CREATE TABLE o AS SELECT g, COUNT(*) AS c FROM s WINDOW TUMBLING (SIZE 1 SECOND, GRACE PERIOD 0 SECONDS) GROUP BY g;"
    together, apart = Query(plan_of(sql)), Query(plan_of(sql), partitions=5)
    assert partition_for(b"a", 5) != partition_for(b"b", 5)
    for query, outputs in ((together, 0), (apart, 1)):
        query.process(view(100_000, "a"))
        assert len(query.process(view(5_000, "b"))) == outputs


def test_pull() -> None:
    sql = (
        "CREATE TABLE o AS SELECT g, COUNT(*) AS c FROM s "
        "WINDOW TUMBLING (SIZE 1 SECOND, GRACE PERIOD 1 MINUTE) GROUP BY g HAVING COUNT(*) > 1;"
    )
    query = Query(plan_of(sql))
    for t, group in ((100, "a"), (200, "a"), (1_500, "a"), (1_700, "a"), (1_700, "b")):
        query.process(view(t, group))
    assert query.lookup(["a"]) == [
        TableRow(("a",), (0, 1000), (2,), 200),
        TableRow(("a",), (1000, 2000), (2,), 1700),
    ]
    assert query.lookup(["b"]) == []
    assert len(list(query.scan())) == 2


def test_pull_of_a_join() -> None:
    query = Query(plan_of("CREATE TABLE o AS SELECT t.k AS k, w, x FROM t JOIN u ON t.k = u.k;"))
    query.process(InputRecord("t", 0, 0, 5, b"a", b'{"W":1}'))
    assert query.lookup(["a"]) == []
    query.process(InputRecord("u", 0, 0, 7, b"a", b'{"X":2}'))
    assert query.lookup(["a"]) == [TableRow(("a",), None, (1, 2), 7)]
    assert list(query.scan()) == query.lookup(["a"])


def test_a_cached_session_that_was_never_emitted_leaves_no_tombstone() -> None:
    query = Query(
        plan_of("CREATE TABLE o AS SELECT g, COUNT(*) AS c FROM s WINDOW SESSION (5 SECONDS) GROUP BY g;"), cached=True
    )
    for t in (1000, 2000, 3000):
        assert query.process(view(t)) == []
    (only,) = query.flush()
    assert only.value == b'{"C":3}'
    query.process(view(4000))
    assert [out.value for out in query.flush()] == [None, b'{"C":4}']
    assert query.flush() == []


def test_a_push_query_gives_rows_up_to_its_limit() -> None:
    catalog = Catalog()
    for parsed in parse(_SOURCES):
        catalog.apply(Analyzer(catalog).analyze(parsed.ast))
    command = Analyzer(catalog).analyze(
        parse("SELECT k, v * 2 AS w, ROWTIME AS t FROM s WHERE v > 0 EMIT CHANGES LIMIT 2;")[0].ast
    )
    assert isinstance(command, PushQuery)
    query = Query(command.plan)
    for number in (1, 0, 3, 4):
        assert query.process(view(10 + number, number=number)) == []
    assert query.poll_rows() == [["k", 2, 11], ["k", 6, 13]]
    assert query.poll_rows() == []


def test_describe_names_every_operator() -> None:
    text = Query(plan_of("CREATE STREAM o AS SELECT s.k AS k, v, w FROM s LEFT JOIN t ON s.k = t.k;")).describe()
    assert [line.strip().split()[2] for line in text.splitlines()] == [
        "SINK_1",
        "PROJECT_1",
        "STREAM_TABLE_JOIN_1",
        "SOURCE_1",
        "SOURCE_2",
    ]


def test_the_clock_of_an_event_is_its_records_timestamp() -> None:
    """In rows as in columns, whatever the wall clock says: reading the topic again must give the same result."""
    catalog = Catalog()
    properties = "kafka_topic='e', key_format='KAFKA', value_format='JSON', timestamp='at'"
    stream = f"CREATE STREAM e (k STRING KEY, g STRING, at BIGINT) WITH ({properties});"
    catalog.apply(Analyzer(catalog).analyze(parse(stream)[0].ast))
    table = Analyzer(catalog).analyze(parse("CREATE TABLE o AS SELECT g, COUNT(*) AS c FROM e GROUP BY g;")[0].ast)
    assert isinstance(table, CreateQuery)
    stamps = [0, 0, 5_000, 5_000]
    values = [b'{"G":"a","AT":1000}', b'{"G":"a","AT":1001}', b'{"G":"a","AT":6000}', b'{"G":"a","AT":6001}']
    records = [
        InputRecord("e", 0, n, stamp, b"k", value) for n, (stamp, value) in enumerate(zip(stamps, values, strict=True))
    ]
    for few in (1, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BatchCutter, "few", few)
            query = Query(table.plan, max_ahead_ms=1_000)
            query.process_merged(MergedBatch.of(records), now_ms=10**12)
            assert query.stats.by_cause() == {"event_time_ahead": 2}
            assert query.stream_time == 6_000


@pytest.mark.parametrize("few", [1, 100])
def test_sink_records_are_partitioned_as_javas_producer_does(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the key; those without a key are spread round robin."""
    monkeypatch.setattr(BatchCutter, "few", few)
    catalog = Catalog()
    stream = "CREATE STREAM e (k STRING KEY, v INT) WITH (kafka_topic='e', key_format='KAFKA', value_format='JSON');"
    catalog.apply(Analyzer(catalog).analyze(parse(stream)[0].ast))
    copy = Analyzer(catalog).analyze(parse("CREATE STREAM o AS SELECT * FROM e;")[0].ast)
    assert isinstance(copy, CreateQuery)
    query = Query(copy.plan, sink_partitions=4)
    keys = [b"a", b"b", b"c", None, b"a", None, b"d", None, None]
    records = [InputRecord("e", 0, at, at, key, b'{"V":1}') for at, key in enumerate(keys)]
    outputs = sorted(flattened(query.process_merged(MergedBatch.of(records))), key=lambda output: output.timestamp)
    assert [output.key for output in outputs] == keys
    turns = iter(range(4))
    assert [output.partition for output in outputs] == [
        next(turns) if key is None else partition_for(key, 4) for key in keys
    ]


def test_windows_of_a_group_lie_in_the_partition_of_its_key() -> None:
    windowed = "CREATE TABLE o AS SELECT g, COUNT(*) AS c FROM s WINDOW TUMBLING (SIZE 1 SECONDS) GROUP BY g;"
    query = Query(plan_of(windowed), sink_partitions=5)
    outputs = query.process_batch([view(t, group) for t in (0, 1_000, 2_000) for group in "abc"])
    assert len(outputs) == 9
    for output in outputs:
        assert output.key is not None
        assert output.partition == partition_for(output.key[:-8], 5)
