"""Records that are processed in columns give what they give one by one, whatever they hold."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from services.ksql.engine.batching import BatchCutter
from services.ksql.engine.chunk import Chunk, MergedBatch
from services.ksql.engine.query import Query
from services.ksql.engine.records import InputRecord, OutputRecord, flattened
from services.ksql.engine.state import Change
from services.ksql.model.commands import CreateQuery
from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import SourceKind
from shared import dimension
from tests.unit.ksql.analysis.session import Session

_NOW = 20_000
_AHEAD = 5_000

_SOURCES = """
CREATE STREAM s (k VARCHAR KEY, v INT, g VARCHAR, d DOUBLE, b BIGINT, ok BOOLEAN, at BIGINT)
  WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', TIMESTAMP='at');
CREATE STREAM n (k INT KEY, v INT, g VARCHAR) WITH (KAFKA_TOPIC='n', VALUE_FORMAT='JSON');
CREATE TABLE u (k INT PRIMARY KEY, name VARCHAR) WITH (KAFKA_TOPIC='u', VALUE_FORMAT='JSON');
"""
_QUERIES = {
    "tumbling": """CREATE TABLE t AS SELECT g, COUNT(*) AS c, COUNT(d) AS cd, COUNT_DISTINCT(v) AS dv, COUNT_DISTINCT(b) AS db,
      SUM(v) AS sv, SUM(b) AS sb, AVG(b) AS ab, MIN(b) AS nb, MAX(v) AS xv, MAX(d) AS xd, MAX(ROWTIME) AS m, MIN(k) AS mk
      FROM s WINDOW TUMBLING (SIZE 1 SECONDS, GRACE PERIOD 3 SECONDS) GROUP BY g;""",
    "hopping": """CREATE TABLE t WITH (KEY_FORMAT='JSON') AS SELECT g, ok, COUNT(*) AS c, COUNT_DISTINCT(g) AS dg, SUM(v + 1) AS sv
      FROM s WINDOW HOPPING (SIZE 2 SECONDS, ADVANCE BY 500 MILLISECONDS, GRACE PERIOD 2 SECONDS)
      WHERE v <> 3 GROUP BY g, ok;""",
    "session": """CREATE TABLE t AS SELECT g, COUNT(*) AS c, COUNT_DISTINCT(v) AS dv, MAX(ROWTIME) AS m
      FROM s WINDOW SESSION (400 MILLISECONDS, GRACE PERIOD 3 SECONDS) GROUP BY g;""",
    "ordered": """CREATE TABLE t AS SELECT g, LATEST_BY_OFFSET(v) AS lv, SUM(d) AS sd
      FROM s WINDOW TUMBLING (SIZE 1 SECONDS) GROUP BY g;""",
    "dimension": f"""CREATE TABLE t AS SELECT {dimension.ksql("g")} AS g, AS_VALUE({dimension.ksql("g")}) AS gg, COUNT(*) AS c
      FROM s WINDOW TUMBLING (SIZE 1 SECONDS) GROUP BY {dimension.ksql("g")};""",
    "no window": "CREATE TABLE t AS SELECT g, COUNT(*) AS c, COLLECT_LIST(v) AS l FROM s GROUP BY g;",
    "projection": """CREATE STREAM t AS SELECT k, UCASE(g) AS ug, v, d, b, ok, ROWTIME AS rt, ROWOFFSET AS ro, ROWPARTITION AS rp
      FROM s WHERE g IS NOT NULL;""",
    "key": "CREATE STREAM t AS SELECT k, k + 1 AS kk, g FROM n;",
    "other key": "CREATE STREAM t AS SELECT * FROM s PARTITION BY v;",
    "join": "CREATE STREAM t AS SELECT n.k AS k, n.v AS v, u.name AS name FROM n JOIN u ON n.k = u.k;",
    "left join": "CREATE STREAM t AS SELECT n.v AS v, n.g AS g, u.name AS name FROM n LEFT JOIN u ON n.v = u.k;",
}

_NUMBERS = st.one_of(st.integers(-3, 6), st.sampled_from([None, 2**31 - 1, -(2**31), 2**31, "7", 1.5, True, "x"]))
_WILD = st.fixed_dictionaries(
    {},
    optional={
        "V": _NUMBERS,
        "v": _NUMBERS,
        "G": st.sampled_from(["a", "b", "ü\U0001f600", "\u0001", None, 5, [1]]),
        "D": st.sampled_from([0.5, -1.0, 1e9, 1e-9, 3, None]),
        "B": st.sampled_from([1, 2, -1, 2**62, 2**63 - 1, 2**63, None]),
        "OK": st.sampled_from([True, False, None]),
        "NAME": st.sampled_from(["x", "y", None]),
        "AT": st.sampled_from([1, 300, 2_500, 9_000, 26_000, -1, None]),
    },
)
_PLAIN = st.fixed_dictionaries(
    {
        "V": st.integers(-3, 6),
        "G": st.sampled_from(["a", "b", "c"]),
        "D": st.sampled_from([0.5, 1e9, -1.0]),
        "B": st.integers(-(2**63), 2**63 - 1),
        "OK": st.booleans(),
        "NAME": st.sampled_from(["x", "y"]),
        "AT": st.integers(0, 9_000),
    }
)
_VALUES: st.SearchStrategy[dict[str, Any] | bytes | None] = st.one_of(
    _PLAIN, _PLAIN, _PLAIN, _WILD, st.sampled_from([None, b"", b"{", b"[1]", b'{"V":1}{"V":2}'])
)


@cache
def plan_of(name: str) -> QueryPlan:
    command = Session().run(_SOURCES + _QUERIES[name])
    assert isinstance(command, CreateQuery)
    return command.plan


@st.composite
def _records(draw: st.DrawFn) -> list[InputRecord]:
    made = []
    plain_only = draw(st.booleans())
    time = 0
    for offset in range(draw(st.integers(0, 40))):
        value = draw(_PLAIN if plain_only else _VALUES)
        topic = draw(st.sampled_from(["s", "n", "n", "u"] if not plain_only else ["s", "n"]))
        number = draw(st.integers(-2, 5))
        key = {
            "s": b"k%d" % number,
            "n": number.to_bytes(4, "big", signed=True),
            "u": number.to_bytes(4, "big", signed=True),
        }
        odd = draw(st.integers(0, 20)) if not plain_only else 1
        time += draw(st.integers(-400, 700))
        if isinstance(value, dict) and "AT" in value and plain_only:
            value["AT"] = max(0, time)
        made.append(
            InputRecord(
                topic,
                draw(st.integers(0, 1)),
                offset,
                max(-1 if odd == 0 else 0, time),
                None if odd == 2 else b"odd" if odd == 3 else key[topic],
                json.dumps(value).encode() if isinstance(value, dict) else value,
            )
        )
    return made


def _places(changes: list[Change]) -> list[tuple[str, bytes, bool]]:
    """Without the values: equal bitmaps may be written in different ways."""
    return sorted((store, key, value is None) for store, key, value in changes)


def _by_partition(outputs: list[OutputRecord]) -> list[OutputRecord]:
    """Each partition's in order."""
    return sorted(outputs, key=lambda output: output.partition)


@pytest.mark.parametrize("name", _QUERIES)
@settings(max_examples=40, phases=[Phase.generate])
@given(records=_records(), cuts=st.lists(st.integers(0, 40), max_size=3))
def test_columns_give_what_rows_give(name: str, records: list[InputRecord], cuts: list[int]) -> None:
    plan = plan_of(name)
    rows, columns = (Query(plan, partitions=2, sink_partitions=3, cached=True, max_ahead_ms=_AHEAD) for _ in range(2))
    bounds = sorted({0, *(cut for cut in cuts if cut < len(records)), len(records)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchCutter, "few", 1)
        for start, end in pairwise(bounds):
            part = [record for record in records[start:end] if record.topic in rows.topics]
            expected: list[OutputRecord] = []
            for record in part:
                expected += rows.process(record, _NOW)
            if part:
                outputs = flattened(columns.process_merged(MergedBatch.of(part), _NOW))
                assert _by_partition(outputs) == _by_partition(expected)
            # one record for each key, in no order that matters
            assert sorted(columns.flush()) == sorted(rows.flush())
            assert _places(columns.changes()) == _places(rows.changes())
            assert {n: s.data for n, s in columns._stores.items()} == {n: s.data for n, s in rows._stores.items()}
    assert columns.stats == rows.stats
    assert columns.stream_time == rows.stream_time
    if plan.root.kind is SourceKind.TABLE:
        assert sorted(columns.scan()) == sorted(rows.scan())


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", _QUERIES)
@pytest.mark.usefixtures("no_collector")
def test_chunks_are_freed_without_the_collector_of_cycles(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query = Query(plan_of(name), partitions=2, cached=True)
    monkeypatch.setattr(BatchCutter, "few", 1)
    for turn in range(3):
        values = [{"K": 1, "V": 1, "G": "a", "D": 1.0, "B": i, "OK": True, "NAME": "x", "AT": i} for i in range(50)]
        for topic in query.topics:
            key = b"k" if topic == "s" else b"\0\0\0\1"
            records = [
                InputRecord(topic, 0, turn * 50 + i, i, key, json.dumps(v).encode()) for i, v in enumerate(values)
            ]
            query.process_merged(MergedBatch.of(records), _NOW)
        query.flush()
        query.changes()
    assert [one for one in gc.get_objects() if isinstance(one, Chunk)] == []
