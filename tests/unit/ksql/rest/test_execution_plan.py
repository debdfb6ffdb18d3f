"""The execution plan of EXPLAIN. Plans without a join are compared with a real server's by ``test_transcripts``."""

from __future__ import annotations

from services.ksql import testing as ksql
from services.ksql.rest.execution_plan import execution_plan

SOURCES = """
CREATE STREAM s (k STRING KEY, v INT, w STRING) WITH (kafka_topic='s', value_format='JSON');
CREATE TABLE t (id STRING PRIMARY KEY, n STRING) WITH (kafka_topic='t', value_format='JSON');
CREATE TABLE t2 (id STRING PRIMARY KEY, n STRING) WITH (kafka_topic='t2', value_format='JSON');
"""
PSEUDO = "ROWTIME BIGINT, ROWPARTITION INTEGER, ROWOFFSET BIGINT"


def explained(statement: str) -> tuple[list[str], list[str]]:
    """The steps with their loggers, each with its distance from the last; and the schemas."""
    with ksql.topology(SOURCES + statement) as t:
        (query,) = t.catalog.queries()
        lines = execution_plan(query.plan, "Q").splitlines()
    parts = [line.split(" | ") for line in lines]
    steps = [
        f"{first.count(chr(9)) // 2} {first.split()[2]} {logger.removeprefix('Logger: Q.')}"
        for first, _, logger in parts
    ]
    return steps, [schema.removeprefix("Schema: ") for _, schema, _ in parts]


def test_a_join_over_another_key() -> None:
    steps, schemas = explained(
        "CREATE STREAM o AS SELECT s.k, v, n FROM s LEFT JOIN t ON s.w = t.id WHERE v > 1 PARTITION BY v;"
    )
    assert steps == [
        "0 SINK O",
        "1 PROJECT Project",
        "2 REKEY PartitionBy",
        "3 FILTER WhereFilter",
        "4 JOIN Join",
        "5 PROJECT PrependAliasLeft",
        "6 REKEY LeftSourceKeyed",
        "7 SOURCE KafkaTopic_Left.Source",
        "5 PROJECT PrependAliasRight",
        "6 SOURCE KafkaTopic_Right.Source",
    ]
    assert schemas[0] == "V INTEGER KEY, K STRING, N STRING"
    assert schemas[6] == f"W STRING KEY, V INTEGER, W STRING, {PSEUDO}, K STRING"
    left = "S_V INTEGER, S_W STRING, S_ROWTIME BIGINT, S_ROWPARTITION INTEGER, S_ROWOFFSET BIGINT, S_K STRING"
    right = "T_N STRING, T_ROWTIME BIGINT, T_ROWPARTITION INTEGER, T_ROWOFFSET BIGINT, T_ID STRING"
    assert schemas[4] == f"S_W STRING KEY, {left}, {right}"


def test_joins_of_joins_and_foreign_keys() -> None:
    steps, _ = explained("CREATE STREAM o AS SELECT s.k, t.n, t2.n FROM s JOIN t ON s.k = t.id JOIN t2 ON s.k = t2.id;")
    assert [step for step in steps if "JOIN" in step or "SOURCE" in step] == [
        "2 JOIN Join",
        "3 JOIN L_Join",
        "5 SOURCE KafkaTopic_L_Left.Source",
        "5 SOURCE KafkaTopic_L_Right.Source",
        "4 SOURCE KafkaTopic_Right.Source",
    ]
    steps, _ = explained("CREATE TABLE o AS SELECT t.id, t2.n FROM t JOIN t2 ON t.n = t2.id;")
    assert not [step for step in steps if "REKEY" in step]


def test_groups_of_expressions() -> None:
    steps, schemas = explained(
        "CREATE TABLE o WITH (key_format='JSON') AS SELECT w, v + 1 AS x, COUNT(*) AS n, SUM(v + 1) FROM s "
        "WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY w, v + 1 HAVING COUNT(*) > 1 EMIT FINAL;"
    )
    assert [step.split()[1] for step in steps] == [
        "SINK",
        "PROJECT",
        "FILTER",
        "SUPPRESS",
        "AGGREGATE",
        "GROUP_BY",
        "PROJECT",
        "SOURCE",
    ]
    assert schemas[6] == "K STRING KEY, W STRING, KSQL_INTERNAL_COL_1 INTEGER, ROWTIME BIGINT"
    assert schemas[4] == (
        "W STRING KEY, X INTEGER KEY, W STRING, KSQL_INTERNAL_COL_1 INTEGER, ROWTIME BIGINT, "
        "KSQL_AGG_VARIABLE_0 BIGINT, KSQL_AGG_VARIABLE_1 INTEGER, WINDOWSTART BIGINT, WINDOWEND BIGINT"
    )


def test_table_functions() -> None:
    steps, schemas = explained("CREATE STREAM o AS SELECT k, EXPLODE(ARRAY[1, 2]) AS x FROM s;")
    assert steps[2] == "2 FLAT_MAP FlatMap"
    assert schemas[2] == f"K STRING KEY, V INTEGER, W STRING, {PSEUDO}, K STRING, KSQL_SYNTH_0 INTEGER"
