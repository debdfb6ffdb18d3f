"""The commands of small statements, replacements of queries, and the pipeline this server is for."""

import pytest

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.errors import KsqlError, RequestError
from services.ksql.model import commands
from services.ksql.model.plan import QueryPlan
from services.ksql.sql.format import format_statement
from services.ksql.sql.parser import parse, parse_one
from tests import golden
from tests.unit.ksql.analysis.session import Session, with_sources


def test_small_statements() -> None:
    session = with_sources()
    assert session.run("SHOW STREAMS EXTENDED;") == commands.Show("STREAMS", True)
    assert session.run("DESCRIBE clicks;") == commands.DescribeSource(session.source("CLICKS"))
    assert session.run("DESCRIBE FUNCTION ucase;") == commands.DescribeFunction("UCASE")
    assert session.run("SET 'ksql.a'='b';") == commands.SetProperty("ksql.a", "b")
    assert session.run("ASSERT TOPIC tweetsByTitle;") == commands.AssertTopic("tweetsByTitle")
    asserted = "ASSERT NOT EXISTS TOPIC 'it''s' WITH (partitions=2) TIMEOUT 2 SECONDS;"
    assert session.run(asserted) == commands.AssertTopic("it's", (("PARTITIONS", "2"),), False, 2000)
    assert session.run("PRINT clicks LIMIT 1;") == commands.Print("clicks", False, None, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DESCRIBE nosuch;", "Could not find STREAM/TABLE 'NOSUCH' in the Metastore"),
        ("EXPLAIN nosuch;", "Query with id:NOSUCH does not exist, use SHOW QUERIES to view the full set of queries."),
        ("TERMINATE nosuch;", "Unknown queryId: NOSUCH"),
        ("ASSERT TOPIC t TIMEOUT 11 MINUTES;", "The TIMEOUT of ASSERT TOPIC may be at most 600 seconds."),
        (
            "ASSERT NOT EXISTS SCHEMA SUBJECT 'pages-value' ID 3 TIMEOUT 1 SECOND;",
            "The statement ASSERT SCHEMA is not supported by this server: it needs a Schema Registry, which this server does "
            "not have. DESCRIBE shows the columns of a stream or table.",
        ),
        ("ALTER STREAM nosuch ADD COLUMN c INT;", "Source NOSUCH does not exist."),
        (
            "ALTER TABLE clicks ADD COLUMN c INT;",
            "Incompatible data source type is STREAM, but statement was ALTER TABLE",
        ),
        (
            "ALTER STREAM clicks ADD COLUMN page INT;",
            "Cannot add column `PAGE` to schema. A column with the same name already exists.",
        ),
        (
            "ALTER STREAM clicks ADD COLUMN c INT, ADD c STRING;",
            "Cannot add column `C` to schema. A column with the same name already exists.",
        ),
        (
            "ALTER STREAM clicks ADD rowtime INT;",
            "Failed to prepare statement: Line: 1, Col: 25: 'ROWTIME' is a reserved column name. "
            "You cannot use it as a name for a column.",
        ),
        ("ALTER STREAM clicks ADD c nosuch;", "Failed to prepare statement: Cannot resolve unknown type: NOSUCH"),
    ],
)
def test_small_refusals(text: str, message: str) -> None:
    assert with_sources().error(text).message == message


def test_alter_adds_columns_behind_those_of_the_value() -> None:
    session = with_sources()
    session.run("CREATE TYPE place AS STRUCT<x INT>;")
    session.run("ALTER TABLE people ADD COLUMN age INT, ADD `home` place;")
    assert session.schema("PEOPLE") == "ID INTEGER KEY, NAME STRING, PLACE STRING, AGE INTEGER, home STRUCT<X INTEGER>"
    assert session.source("PEOPLE").sql.endswith(
        "\nALTER TABLE PEOPLE ADD COLUMN AGE INTEGER, ADD COLUMN `home` STRUCT<`X` INTEGER>;"
    )


@pytest.mark.parametrize(
    ("before", "alter", "message"),
    [
        (
            "CREATE STREAM made AS SELECT * FROM clicks; TERMINATE ALL;",
            "ALTER STREAM made ADD COLUMN c INT;",
            "ALTER command is not supported for CREATE ... AS statements.",
        ),
        (
            "CREATE SOURCE STREAM fixed (k INT KEY, n INT) WITH (kafka_topic='t', value_format='JSON');",
            "ALTER STREAM fixed ADD COLUMN c INT;",
            "Cannot alter stream 'FIXED': ALTER operations are not supported on source streams.",
        ),
        (
            "CREATE STREAM bare (n INT) WITH (kafka_topic='t', value_format='JSON', wrap_single_value=false);",
            "ALTER STREAM bare ADD COLUMN c INT;",
            "'WRAP_SINGLE_VALUE' is only valid for single-field value schemas",
        ),
    ],
)
def test_what_cannot_be_altered(before: str, alter: str, message: str) -> None:
    session = with_sources()
    session.run(before)
    assert session.error(alter).message == message


def test_a_column_that_the_format_has_not_is_refused() -> None:
    session = with_sources()
    session.run("CREATE STREAM lines (n INT) WITH (kafka_topic='t', value_format='DELIMITED');")
    message = session.error("ALTER STREAM lines ADD COLUMN c ARRAY<INT>;").message
    assert message.endswith("reason: The 'DELIMITED' format does not support type 'ARRAY', column: `C`")


def test_describing_an_unknown_function_is_a_bad_request() -> None:
    error = with_sources().error("DESCRIBE FUNCTION nosuch;")
    assert isinstance(error, RequestError)
    assert error.message == "Can't find any functions with the name 'NOSUCH'"


def test_explain_of_a_statement_holds_its_plan() -> None:
    explained = with_sources().expect(commands.Explain, "EXPLAIN SELECT page FROM clicks EMIT CHANGES;")
    assert isinstance(explained.plan, QueryPlan)


def test_errors_carry_the_statement_as_it_is_shown() -> None:
    error = with_sources().error("CREATE STREAM x AS SELECT nosuch FROM clicks;")
    assert error.message == (
        "Could not determine output schema for query due to error: Line: 1, Col: 27: SELECT column 'NOSUCH' cannot be resolved."
    )
    assert error.statement == "CREATE STREAM X AS SELECT NOSUCH NOSUCH\nFROM CLICKS CLICKS\nEMIT CHANGES;"


def test_errors_of_preparation_carry_the_text_as_written() -> None:
    text = "CREATE STREAM x AS SELECT * FROM nosuch;"
    with pytest.raises(KsqlError) as error:
        Analyzer(with_sources().catalog).qualify(parse_one(text).ast, text)
    assert error.value.message == "Exception while preparing statement: NOSUCH does not exist."
    assert error.value.statement == text


def test_preparing_twice_changes_nothing() -> None:
    analyzer = Analyzer(with_sources().catalog)
    once = analyzer.qualify(
        parse_one("CREATE STREAM x AS SELECT id, page || 'x', c.ROWTIME AS t FROM clicks c WHERE person > 1;").ast
    )
    assert analyzer.qualify(once) == once
    assert format_statement(once) == (
        "CREATE STREAM X AS SELECT\n  C.ID ID,\n  CONCAT(C.PAGE, 'x') KSQL_COL_0,\n  C.ROWTIME T\nFROM CLICKS C\n"
        "WHERE (C.PERSON > 1)\nEMIT CHANGES;"
    )


def test_a_query_may_be_replaced_by_one_with_another_filter() -> None:
    session = with_sources()
    session.run("CREATE STREAM x AS SELECT * FROM clicks WHERE id > 1;")
    command = session.expect(commands.CreateQuery, "CREATE OR REPLACE STREAM x AS SELECT * FROM clicks WHERE id > 2;")
    assert command.replaces is not None
    assert len(tuple(session.catalog.queries())) == 1


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            "TABLE x AS SELECT page, COUNT(*) AS n, SUM(id) AS t FROM clicks GROUP BY page;",
            "TABLE x AS SELECT page, COUNT(*) AS n, MAX(id) AS t FROM clicks GROUP BY page;",
            "Query is not upgradeable. Plan step of type StreamAggregate must have matching aggregate functions. "
            "Values differ: [COUNT(ROWTIME), SUM(ID)] vs. [COUNT(ROWTIME), MAX(ID)]",
        ),
        (
            "STREAM x AS SELECT id, person FROM clicks;",
            "STREAM x AS SELECT id, person FROM orders;",
            "Query is not upgradeable. Plan step of type StreamSource must have matching topicName. Values differ: clicks vs. orders",
        ),
        (
            "TABLE x AS SELECT page AS p, COUNT(*) AS n FROM clicks GROUP BY page;",
            "TABLE x AS SELECT LCASE(page) AS p, COUNT(*) AS n FROM clicks GROUP BY LCASE(page);",
            "Query is not upgradeable. Plan step of type StreamGroupBy must have matching groupByExpressions. "
            "Values differ: [PAGE] vs. [LCASE(PAGE)]",
        ),
        (
            "STREAM x AS SELECT page AS p, id FROM clicks PARTITION BY page;",
            "STREAM x AS SELECT LCASE(page) AS p, id FROM clicks PARTITION BY LCASE(page);",
            "Query is not upgradeable. Plan step of type StreamSelectKey must have matching keyExpressions. "
            "Values differ: [PAGE] vs. [LCASE(PAGE)]",
        ),
        (
            "TABLE x AS SELECT page, COUNT(*) FROM clicks WINDOW TUMBLING (SIZE 1 DAY) GROUP BY page;",
            "TABLE x AS SELECT page, COUNT(*) FROM clicks WINDOW TUMBLING (SIZE 1 DAY) GROUP BY page;",
            "Upgrades not yet supported for StreamWindowedAggregate",
        ),
        (
            "STREAM x AS SELECT c.id, name FROM clicks c JOIN people p ON c.id = p.id;",
            "STREAM x AS SELECT c.id, name FROM clicks c JOIN people p ON c.id = p.id;",
            "Upgrades not yet supported for StreamTableJoin",
        ),
    ],
)
def test_replacements_that_state_cannot_follow(first: str, second: str, message: str) -> None:
    session = with_sources()
    session.run(f"CREATE {first}")
    error = session.error(f"CREATE OR REPLACE {second}")
    assert isinstance(error, RequestError)
    assert error.message == message
    # what an earlier version has let through goes on after a restart
    for parsed in parse(f"CREATE OR REPLACE {second}"):
        assert Analyzer(session.catalog, carried_out=True).analyze(parsed.ast)


def test_properties_that_do_not_exist() -> None:
    for statement in ("SET 'no.such.property' = '1';", "UNSET 'no.such.property';"):
        assert with_sources().error(statement).message == "Unknown property: no.such.property"
    assert with_sources().run("UNSET 'auto.offset.reset';")


def test_the_new_planner_lets_a_key_be_left_out() -> None:
    session = Session({"ksql.new.query.planner.enabled": "true"})
    session.run("CREATE STREAM a (k INT KEY, j INT KEY, v INT) WITH (kafka_topic='t', format='JSON');")
    session.run("CREATE STREAM b AS SELECT v, j FROM a;")
    assert session.schema("B") == "J INTEGER KEY, V INTEGER"


def test_the_pipeline_is_planned_as_it_was_recorded() -> None:
    session = Session()
    session.run(golden.text("pipeline.sql"))
    assert session.schema("PAGEVIEW_COUNTRY") == (
        "COUNTRY STRING KEY, country STRING, window_start BIGINT, window_end BIGINT, view_count BIGINT, user_count BIGINT, "
        "average_age DOUBLE, updated_at BIGINT"
    )
    assert session.schema("PAGEVIEW_ENRICHED") == "USER_ID INTEGER KEY, SOURCE STRING, AGE INTEGER, COUNTRY STRING"
    assert len(tuple(session.catalog.queries())) == 7
