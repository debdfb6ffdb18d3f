"""Plans of queries over one source: projection, filters, PARTITION BY, GROUP BY."""

import pytest

from services.ksql.errors import ServerError
from services.ksql.model import typed_expressions as ex
from services.ksql.model.commands import CreateQuery, InsertQuery, PushQuery
from services.ksql.model.plan import AggregateStep, FilterStep, PartitionByStep, ProjectStep, SourceStep, SuppressStep
from services.ksql.model.schema import Format, KeyWindow, SourceKind, TimestampColumn, WindowType
from services.ksql.model.types import BIGINT, INTEGER
from tests.unit.ksql.analysis.session import Session, with_sources


def test_filter_and_projection() -> None:
    session = with_sources()
    plan = session.expect(
        CreateQuery, "CREATE STREAM s AS SELECT id, page, seen + 1 FROM clicks WHERE person > 3;"
    ).plan
    assert session.schema("S") == "ID INTEGER KEY, PAGE STRING, KSQL_COL_0 BIGINT"
    project = plan.root
    assert isinstance(project, ProjectStep) and project.keys == ("ID",)
    assert isinstance(project.input, FilterStep)
    assert project.input.predicate == ex.TypedComparison(
        ">", ex.ColumnRef("PERSON", INTEGER), ex.TypedLiteral(3, INTEGER)
    )
    assert isinstance(project.input.input, SourceStep)


def test_sink_inherits_formats_and_topic_name() -> None:
    session = Session({"ksql.output.topic.name.prefix": "pre-"})
    session.run(
        "CREATE STREAM a (k INT KEY, v INT, w INT) WITH (kafka_topic='t', format='DELIMITED', value_delimiter='|');"
        "CREATE STREAM b AS SELECT * FROM a; CREATE STREAM c WITH (kafka_topic='x', value_format='JSON', timestamp='ts', "
        "partitions=4) AS SELECT k, CAST(v AS BIGINT) AS ts FROM a;"
    )
    b, c = session.source("B"), session.source("C")
    assert (b.topic, b.value_format, b.partitions) == ("pre-B", Format("DELIMITED", "|"), None)
    assert (c.topic, c.value_format, c.partitions) == ("x", Format("JSON"), 4)
    assert c.timestamp == TimestampColumn("TS")
    assert b.sql == "CREATE STREAM B AS SELECT *\nFROM A A\nEMIT CHANGES;"


def test_generated_names_avoid_those_of_the_source() -> None:
    session = Session()
    session.run("CREATE STREAM a (k INT KEY, ksql_col_0 INT) WITH (kafka_topic='t', value_format='JSON');")
    session.run("CREATE STREAM b AS SELECT k, 1, 2 FROM a;")
    assert session.schema("B") == "K INTEGER KEY, KSQL_COL_1 INTEGER, KSQL_COL_2 INTEGER"


def test_partition_by_moves_the_old_key_into_the_value() -> None:
    session = with_sources()
    session.run("CREATE STREAM s AS SELECT * FROM clicks PARTITION BY page;")
    assert session.schema("S") == "PAGE STRING KEY, PERSON INTEGER, SEEN BIGINT, ID INTEGER"


def test_partition_by_an_expression_and_by_null() -> None:
    session = with_sources()
    session.run("CREATE STREAM s AS SELECT * FROM clicks PARTITION BY ABS(person);")
    assert session.schema("S") == "KSQL_COL_0 INTEGER KEY, PAGE STRING, PERSON INTEGER, SEEN BIGINT, ID INTEGER"
    plan = session.expect(CreateQuery, "CREATE STREAM n AS SELECT * FROM clicks PARTITION BY NULL;").plan
    assert session.schema("N") == "PAGE STRING, PERSON INTEGER, SEEN BIGINT, ID INTEGER"
    assert session.source("N").key_format.name == "NONE"
    assert isinstance(plan.root, ProjectStep) and isinstance(plan.root.input, PartitionByStep)
    assert plan.root.input.keys == ()


def test_aggregation() -> None:
    session = with_sources()
    plan = session.expect(
        CreateQuery,
        "CREATE TABLE t AS SELECT page, COUNT(*) AS n, SUM(seen) / COUNT(*) AS mean, UCASE(page) FROM clicks "
        "WINDOW TUMBLING (SIZE 1 MINUTE, RETENTION 1 DAY, GRACE PERIOD 10 SECONDS) WHERE id > 1 GROUP BY page HAVING COUNT(*) > 2;",
    ).plan
    assert session.schema("T") == "PAGE STRING KEY, N BIGINT, MEAN BIGINT, KSQL_COL_0 STRING"
    sink = session.source("T")
    assert sink.window == KeyWindow(WindowType.TUMBLING, 60_000)
    assert (sink.kind, sink.retention_ms) == (SourceKind.TABLE, 86_400_000)
    assert isinstance(plan.root, ProjectStep)
    having = plan.root.input
    assert isinstance(having, FilterStep) and isinstance(having.input, AggregateStep)
    aggregate = having.input
    assert [call.function.name for call in aggregate.aggregates] == ["COUNT", "SUM"]
    assert aggregate.window_spec is not None and aggregate.window_spec.grace_ms == 10_000
    assert having.predicate == ex.TypedComparison(
        ">", ex.ColumnRef("KSQL_AGG_VARIABLE_0", BIGINT), ex.TypedLiteral(2, BIGINT)
    )


def test_group_by_an_expression_uses_its_alias() -> None:
    session = with_sources()
    session.run(
        "CREATE TABLE t AS SELECT LEN(page) AS size, LEN(page) * 2 AS twice, COUNT(*) FROM clicks GROUP BY LEN(page);"
    )
    assert session.schema("T") == "SIZE INTEGER KEY, TWICE INTEGER, KSQL_COL_0 BIGINT"


def test_emit_final_holds_back_before_having() -> None:
    plan = (
        with_sources()
        .expect(
            CreateQuery,
            "CREATE TABLE t AS SELECT page, COUNT(*) FROM clicks WINDOW SESSION (5 SECONDS) GROUP BY page HAVING COUNT(*) > 1 EMIT FINAL;",
        )
        .plan
    )
    assert isinstance(plan.root, ProjectStep) and isinstance(plan.root.input, FilterStep)
    assert isinstance(plan.root.input.input, SuppressStep)


def test_texts_compared_to_row_times_become_numbers() -> None:
    plan = (
        with_sources()
        .expect(CreateQuery, "CREATE STREAM s AS SELECT * FROM clicks WHERE ROWTIME > '1970-01-01T00:00:01';")
        .plan
    )
    assert isinstance(plan.root, ProjectStep) and isinstance(plan.root.input, FilterStep)
    assert plan.root.input.predicate == ex.TypedComparison(
        ">", ex.ColumnRef("ROWTIME", BIGINT), ex.TypedLiteral(1000, BIGINT)
    )


def test_a_push_query_keeps_the_order_of_its_columns() -> None:
    session = with_sources()
    command = session.expect(PushQuery, "SELECT page, id, ROWTIME FROM clicks EMIT CHANGES LIMIT 3;")
    assert command.plan.sink is None and command.plan.limit == 3 and not command.until_end
    assert [column.name for column in command.plan.root.schema.value] == ["PAGE", "ID", "ROWTIME"]
    assert session.expect(PushQuery, "SELECT * FROM clicks;").until_end


def test_a_push_query_over_a_windowed_table_shows_the_bounds() -> None:
    session = with_sources()
    session.run("CREATE TABLE t AS SELECT page, COUNT(*) AS n FROM clicks WINDOW TUMBLING (SIZE 1 DAY) GROUP BY page;")
    command = session.expect(PushQuery, "SELECT * FROM t EMIT CHANGES;")
    assert [column.name for column in command.plan.root.schema.value] == ["PAGE", "WINDOWSTART", "WINDOWEND", "N"]


def test_insert_into_takes_the_sinks_types() -> None:
    session = with_sources()
    session.run("CREATE STREAM s (id INT KEY, v DOUBLE) WITH (kafka_topic='s', value_format='JSON');")
    plan = session.expect(InsertQuery, "INSERT INTO s SELECT id, person AS v FROM clicks;").plan
    assert plan.target.name == "S"
    assert [c.type.base.value for c in plan.root.schema.columns] == ["INTEGER", "DOUBLE"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nosuch FROM clicks", "Line: 1, Col: 27: SELECT column 'NOSUCH' cannot be resolved."),
        ("SELECT * FROM clicks WHERE nosuch = 1", "WHERE column 'NOSUCH' cannot be resolved."),
        (
            "SELECT * FROM clicks WHERE page",
            "Type error in WHERE expression: Should evaluate to boolean but is PAGE (STRING) instead.",
        ),
        (
            "SELECT * FROM clicks WHERE id = 'x'",
            "Error in WHERE expression: Cannot compare ID (INTEGER) to 'x' (STRING) with EQUAL.",
        ),
        (
            "SELECT page FROM clicks",
            "Key missing from projection (ie, SELECT). \nThe query used to build `X` must include the key column ID",
        ),
        (
            "SELECT id, id AS two, page FROM clicks",
            "The projection contains a key column (`ID`) more than once, aliased as: ID and TWO.",
        ),
        ("SELECT id FROM clicks", "The projection contains no value columns."),
        ("SELECT id, page AS a, seen AS a FROM clicks", "Duplicate value columns found in schema: `A` BIGINT"),
        (
            "SELECT id, page AS rowtime FROM clicks",
            "`ROWTIME` is a reserved column name. You cannot use it as an alias for a column.",
        ),
        (
            "SELECT id, ROWTIME FROM clicks",
            "Reserved column name in select: `ROWTIME`. Please remove or alias the column.",
        ),
        # what is wrong with the columns is looked at before the key that is missing
        ("SELECT GREATEST(*) AS a FROM clicks", "Function 'greatest' does not accept parameters ()."),
        ("SELECT id, COALESCE() FROM clicks", "Function 'COALESCE' does not accept parameters ()."),
        (
            "SELECT id, CAST(page AS STRUCT<f INT>) FROM clicks",
            "Invalid Select: Cast of STRING to STRUCT<`F` INTEGER> is not",
        ),
        ("SELECT id, NULL AS a FROM clicks", "Can not determine the type of column `A`"),
        ("SELECT z.id FROM clicks", "Failed to prepare statement: 'Z' is not a valid stream/table name or alias."),
        (
            "SELECT * FROM clicks PARTITION BY nosuch",
            "PARTITION BY column 'NOSUCH' cannot be resolved. 'NOSUCH' must be a column in the source schema",
        ),
        (
            "SELECT * FROM clicks PARTITION BY COUNT(id)",
            "PARTITION BY does not support aggregate functions: COUNT is an aggregate function.",
        ),
        ("SELECT * FROM clicks PARTITION BY id, page, id", "Duplicate expression in PARTITION BY clause: CLICKS.ID"),
        ("SELECT * FROM clicks PARTITION BY id, NULL", "Cannot PARTITION BY multiple columns including NULL"),
        ("SELECT * FROM clicks WINDOW TUMBLING (SIZE 1 DAY)", "WINDOW clause requires a GROUP BY clause."),
        ("SELECT * FROM clicks EMIT FINAL", "EMIT FINAL is only supported for windowed aggregations."),
        ("SELECT * FROM clicks EMIT CHANGES LIMIT 2", "CREATE STREAM AS SELECT statements don't support LIMIT clause."),
        (
            "SELECT page, COUNT(*) FROM clicks GROUP BY page",
            "Invalid result type. Your SELECT query produces a TABLE. Please use CREATE TABLE AS SELECT",
        ),
    ],
)
def test_refused_streams(query: str, message: str) -> None:
    assert message in with_sources().error(f"CREATE STREAM x AS {query};").message


def test_a_timestamp_that_is_not_selected_is_missed_before_the_key() -> None:
    error = with_sources().error("CREATE STREAM x WITH (timestamp='t') AS SELECT page FROM clicks;")
    assert "The TIMESTAMP column set in the WITH clause does not exist in the schema: 'T'" in error.message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "SELECT COUNT(*) FROM clicks GROUP BY page",
            "Key missing from projection (ie, SELECT). \nThe query used to build `X` must include the grouping expression PAGE",
        ),
        (
            "SELECT page, page AS p, COUNT(*) FROM clicks GROUP BY page",
            "The projection contains a key column more than once: `PAGE` and `P`.",
        ),
        (
            "SELECT page, person, COUNT(*) FROM clicks GROUP BY page",
            "Non-aggregate SELECT expression(s) not part of GROUP BY: PERSON",
        ),
        ("SELECT page, person + COUNT(*) FROM clicks GROUP BY page", "not part of GROUP BY: (PERSON + COUNT(*))"),
        (
            "SELECT page, COUNT(*) FROM clicks GROUP BY page HAVING person > 1",
            "Non-aggregate HAVING expression not part of GROUP BY: PERSON",
        ),
        (
            "SELECT page, COUNT(*) FROM clicks GROUP BY page HAVING COUNT(*) > 'x'",
            "Error in HAVING expression: Cannot compare COUNT(*) (BIGINT) to 'x' (STRING)",
        ),
        (
            "SELECT page, COUNT(*) FROM clicks GROUP BY page HAVING SUM(seen)",
            "Type error in HAVING expression: Should evaluate to boolean but is SUM(SEEN) (BIGINT) instead.",
        ),
        (
            "SELECT page FROM clicks GROUP BY page",
            "GROUP BY requires aggregate functions in either the SELECT or HAVING clause.",
        ),
        (
            "SELECT COUNT(*) FROM clicks",
            "CREATE TABLE AS SELECT statement does not support aggregate function [COUNT(ROWTIME)] without a GROUP BY clause.",
        ),
        ("SELECT page, SUM(COUNT(*)) FROM clicks GROUP BY page", "Aggregate functions can not be nested"),
        (
            "SELECT page, TOPK(seen, person) FROM clicks GROUP BY page",
            "Parameter 2 passed to function TOPK must be a literal constant, but was expression: 'PERSON'",
        ),
        ("SELECT page, COUNT(*) FROM clicks GROUP BY page, person", "missing from projection"),
        (
            "SELECT place, MAX(id) FROM people GROUP BY place",
            "The aggregation function MAX cannot be applied to a table source, only to a stream source.",
        ),
        (
            "SELECT place, COUNT(*) FROM people WINDOW TUMBLING (SIZE 1 DAY) GROUP BY place",
            "Windowing not supported for table aggregations.",
        ),
        (
            "SELECT page, MAX(windowend) FROM clicks WINDOW TUMBLING (SIZE 1 DAY) GROUP BY page",
            "Window bounds column WINDOWEND can only be used in the SELECT clause",
        ),
        (
            "SELECT WINDOWSTART, COUNT(*) FROM clicks GROUP BY WINDOWSTART",
            "Reserved column name in select: `WINDOWSTART`. Please remove or alias the column.",
        ),
        (
            "SELECT page, TOPK(id, page) FROM clicks GROUP BY page",
            "Function 'TOPK' does not accept parameters (INTEGER, STRING).",
        ),
        (
            "SELECT page, TOPK(id, LEN(page)) FROM clicks GROUP BY page",
            "Parameter 2 passed to function TOPK must be a literal",
        ),
        (
            "SELECT page, COUNT(*) FROM clicks GROUP BY page EMIT FINAL",
            "EMIT FINAL is only supported for windowed aggregations.",
        ),
        (
            "SELECT * FROM clicks",
            "Invalid result type. Your SELECT query produces a STREAM. Please use CREATE STREAM AS SELECT",
        ),
    ],
)
def test_refused_tables(query: str, message: str) -> None:
    assert message in with_sources().error(f"CREATE TABLE x AS {query};").message


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("HOPPING (SIZE 1 MINUTE, ADVANCE BY 2 MINUTES)", "Window advancement interval should be more than zero"),
        (
            "TUMBLING (SIZE 1 MINUTE, RETENTION 1 MINUTE, GRACE PERIOD 1 MINUTE)",
            "The retention period of the window store",
        ),
    ],
)
def test_impossible_windows_are_the_servers_errors(window: str, message: str) -> None:
    error = with_sources().error(f"CREATE TABLE x AS SELECT page, COUNT(*) FROM clicks WINDOW {window} GROUP BY page;")
    assert isinstance(error, ServerError)
    assert error.message.startswith(message)


def test_a_delimited_source_has_no_place_for_complex_states() -> None:
    session = Session()
    session.run("CREATE STREAM d (k STRING KEY, v INT) WITH (kafka_topic='d', value_format='DELIMITED');")
    assert (
        "intermediate type that the value format can not handle"
        in session.error("CREATE TABLE t AS SELECT k, AVG(v) FROM d GROUP BY k;").message
    )


def test_kafka_values_neither_group_nor_join() -> None:
    session = with_sources()
    session.run("CREATE STREAM d (k INT KEY, v INT) WITH (kafka_topic='d', format='KAFKA');")
    assert (
        "Source(s) D are using the 'KAFKA' value format. This format does not yet support GROUP BY."
        in session.error("CREATE TABLE t AS SELECT k, COUNT(*) FROM d GROUP BY k;").message
    )
    assert (
        "This format does not yet support JOIN."
        in session.error("CREATE STREAM t AS SELECT d.k, name FROM d JOIN people p ON d.k = p.id;").message
    )


def test_insert_into_refusals() -> None:
    session = with_sources()
    assert session.error("INSERT INTO nosuch SELECT * FROM clicks;").message == (
        "Line: 1, Col: 13: Source `NOSUCH` does not exist."
    )
    assert session.error("INSERT INTO people SELECT * FROM clicks;").message == (
        "INSERT INTO can only be used to insert into a stream. PEOPLE is a table."
    )
    assert session.error("INSERT INTO orders SELECT * FROM clicks;").message == (
        "Incompatible schema between results and sink.\n"
        "Result schema is `ID` INTEGER KEY, `PAGE` STRING, `PERSON` INTEGER, `SEEN` BIGINT\n"
        "Sink schema is `ID` INTEGER KEY, `PERSON` INTEGER, `PRICE` DOUBLE"
    )
