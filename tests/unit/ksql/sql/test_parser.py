from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ksql.errors import ParseError
from services.ksql.model.schema import SourceKind, WindowType
from services.ksql.model.types import BIGINT, INTEGER, STRING
from services.ksql.sql import ast, lalr
from services.ksql.sql.compile_grammar import compiled
from services.ksql.sql.format import format_expression, format_statement
from services.ksql.sql.parser import parse, parse_one
from services.ksql.sql.tokens import KEYWORDS, NON_RESERVED


def query_of(text: str) -> ast.Select:
    statement = parse_one(text).ast
    assert isinstance(statement, ast.Select)
    return statement


def expression(text: str) -> ast.Expression:
    item = query_of(f"SELECT {text} FROM s;").select[0]
    assert isinstance(item, ast.SelectItem)
    return item.expression


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("(1 + 2) * 3", "((1 + 2) * 3)"),
        ("a - b - c", "((A - B) - C)"),
        ("a OR b AND NOT c = 1", "(A OR (B AND (NOT (C = 1))))"),
        ("a + 1 BETWEEN b AND c AND d", "(((A + 1) BETWEEN B AND C) AND D)"),
        ("a NOT IN (1, 2)", "(NOT (A IN (1, 2)))"),
        ("a NOT LIKE 'x!%' ESCAPE '!'", "(NOT (A LIKE 'x!%' ESCAPE '!'))"),
        ("a IS NOT NULL", "(A IS NOT NULL)"),
        ("a IS NOT DISTINCT FROM b", "(A IS NOT DISTINCT FROM B)"),
        ("a != b", "(A <> B)"),
        ("-a", "-A"),
        ("- -1", "- -1"),
        ("CASE WHEN a THEN 1 ELSE 2 END", "(CASE WHEN A THEN 1 ELSE 2 END)"),
        ("CASE a WHEN 1 THEN 'x' END", "(CASE A WHEN 1 THEN 'x' END)"),
        ("CAST(a AS VARCHAR)", "CAST(A AS STRING)"),
        ("COUNT(*)", "COUNT(*)"),
        ("s.`q r`", "S.q r"),
        ("'it''s'", "'it''s'"),
        ("a || b || 'c'", "CONCAT(CONCAT(A, B), 'c')"),
        ("TRUE", "true"),
    ],
)
def test_expressions_group_as_they_should(text: str, printed: str) -> None:
    assert format_expression(expression(text)) == printed


def test_equal_expressions_at_different_places_are_equal() -> None:
    first, second = query_of("SELECT a + f(b) x, a  +  f(b) y FROM s;").select
    assert isinstance(first, ast.SelectItem) and isinstance(second, ast.SelectItem)
    assert first.expression == second.expression
    assert hash(first.expression) == hash(second.expression)


def test_create_stream_with_every_part() -> None:
    statement = parse_one(
        "CREATE OR REPLACE STREAM IF NOT EXISTS s (k INT KEY, `v` VARCHAR, key BIGINT) "
        "WITH (kafka_topic='t', partitions=3, wrap_single_value=false);"
    ).ast
    assert statement == ast.CreateSourceStatement(
        name="S",
        kind=SourceKind.STREAM,
        columns=(
            ast.ColumnDef("K", INTEGER, "KEY"),
            ast.ColumnDef("v", STRING),
            ast.ColumnDef("KEY", BIGINT),
        ),
        properties=(
            ("KAFKA_TOPIC", ast.Literal("t", "string")),
            ("PARTITIONS", ast.Literal(3, "integer", "3")),
            ("WRAP_SINGLE_VALUE", ast.Literal(False, "boolean")),
        ),
        or_replace=True,
        if_not_exists=True,
    )


def test_a_source_may_be_called_source() -> None:
    first, second = parse(
        "CREATE STREAM source (a INT) WITH (x='1'); CREATE SOURCE TABLE t (a INT PRIMARY KEY) WITH (x='1');"
    )
    assert isinstance(first.ast, ast.CreateSourceStatement) and first.ast.name == "SOURCE" and not first.ast.read_only
    assert isinstance(second.ast, ast.CreateSourceStatement) and second.ast.read_only


def test_query_with_every_clause() -> None:
    query = query_of(
        "SELECT a.k AS k, b.*, COUNT(*) n FROM left_one AS a LEFT OUTER JOIN b WITHIN (1 MINUTE, 2 SECONDS) GRACE PERIOD 1 HOUR "
        "ON a.k = b.k WINDOW HOPPING (SIZE 1 DAY, ADVANCE BY 2 HOURS, RETENTION 3 DAYS, GRACE PERIOD 4 MINUTES) WHERE a.x > 1 "
        "GROUP BY (a.k, a.m) HAVING COUNT(*) > 2 EMIT FINAL LIMIT 5;"
    )
    assert query.source == ast.Relation("LEFT_ONE", "A")
    (join,) = query.joins
    assert (join.type, join.right) == ("LEFT", ast.Relation("B", "B"))
    assert join.within == ast.Within(ast.Interval(1, "MINUTES"), ast.Interval(2, "SECONDS"), ast.Interval(1, "HOURS"))
    assert query.window == ast.Window(
        WindowType.HOPPING,
        ast.Interval(1, "DAYS"),
        ast.Interval(2, "HOURS"),
        ast.Interval(3, "DAYS"),
        ast.Interval(4, "MINUTES"),
    )
    assert len(query.group_by) == 2
    assert (query.emit, query.limit) == ("FINAL", 5)


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("DROP TABLE IF EXISTS t DELETE TOPIC;", ast.DropSourceStatement("T", SourceKind.TABLE, True, True)),
        ("TERMINATE ctas_x_1;", ast.QueryControl("TERMINATE", "CTAS_X_1")),
        ("PAUSE ALL;", ast.QueryControl("PAUSE", None)),
        ("LIST ALL TOPICS EXTENDED;", ast.Show("ALL TOPICS", True)),
        ("SHOW queries;", ast.Show("QUERIES")),
        ("DESCRIBE s EXTENDED;", ast.DescribeSourceStatement("S", True)),
        ("DESCRIBE TABLES EXTENDED;", ast.DescribeAll(SourceKind.TABLE, True)),
        ("DESCRIBE FUNCTION len;", ast.DescribeFunction("LEN")),
        ("EXPLAIN csas_a_1;", ast.ExplainStatement(query_id="CSAS_A_1")),
        ("PRINT Topic_A FROM BEGINNING LIMIT 2;", ast.Print("Topic_A", True, None, 2)),
        ("SET 'a.b'='c';", ast.SetProperty("a.b", "c")),
        ("UNSET 'a.b';", ast.UnsetProperty("a.b")),
    ],
)
def test_small_statements(text: str, statement: ast.Statement) -> None:
    assert parse_one(text).ast == statement


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "CREATE SINK CONNECTOR c WITH ('connector.class'='x', \"tasks.max\"=1, errors_log=true, name='it''s');",
            ast.CreateConnector(
                "SINK", "C", (("connector.class", "x"), ("tasks.max", "1"), ("errors_log", "true"), ("name", "it's"))
            ),
        ),
        ("CREATE SOURCE CONNECTOR IF NOT EXISTS `c-d`;", ast.CreateConnector("SOURCE", "c-d", (), if_not_exists=True)),
        ("DROP CONNECTOR IF EXISTS c;", ast.DropConnector("C", if_exists=True)),
        ("DESCRIBE CONNECTOR c;", ast.DescribeConnector("C")),
    ],
)
def test_connector_statements(text: str, expected: ast.Statement) -> None:
    parsed = parse_one(text).ast
    assert parsed == expected
    if not (isinstance(parsed, ast.CreateConnector) and not parsed.config):
        assert parse_one(format_statement(parsed)).ast == parsed


def test_a_connector_is_not_replaced() -> None:
    with pytest.raises(ParseError, match="DROP CONNECTOR first"):
        parse_one("CREATE OR REPLACE SOURCE CONNECTOR c WITH ('a'='b');")


def test_each_statement_keeps_its_own_text() -> None:
    parsed = parse("-- first\nSHOW STREAMS;\n  SHOW   TABLES;")
    assert [statement.text for statement in parsed] == ["SHOW STREAMS;", "SHOW   TABLES;"]


def test_nothing_but_comments_is_no_statement() -> None:
    assert parse("-- nothing\n/* at all */") == []


def test_locations_count_over_the_whole_text() -> None:
    _, second = parse("SHOW STREAMS;\nSELECT nosuch FROM s;")
    assert isinstance(second.ast, ast.Select)
    item = second.ast.select[0]
    assert isinstance(item, ast.SelectItem) and isinstance(item.expression, ast.ColumnName)
    assert item.expression.location == ast.Location(2, 8)


def test_variables_are_replaced_and_define_acts_on_what_follows() -> None:
    parsed = parse("DEFINE t = 'clicks'; DESCRIBE ${t}; UNDEFINE t;", {"U": "x"})
    assert parsed[1].ast == ast.DescribeSourceStatement("CLICKS")
    assert parsed[1].text == "DESCRIBE clicks;"


def test_an_unknown_variable_is_no_source_name() -> None:
    with pytest.raises(ParseError, match=r"Line: 1, Col: 10. Source names may only contain .* Got: '\$\{T\}'"):
        parse("DESCRIBE ${t};")


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        ("9223372036854775808", "line 1:9: Invalid numeric literal: 9223372036854775808"),
        ("-9223372036854775809", "line 1:9: Invalid numeric literal: -9223372036854775809"),
        ("1e400", "line 1:9: Number overflows DOUBLE: 1e400"),
    ],
)
def test_numbers_out_of_range(literal: str, message: str) -> None:
    with pytest.raises(ParseError) as error:
        parse(f"SELECT {literal} FROM s;")
    assert error.value.message == f"Failed to prepare statement: {message}"


def test_the_smallest_bigint_is_one_literal() -> None:
    assert expression("-9223372036854775808") == ast.Literal(-(2**63), "bigint", "-9223372036854775808")


def test_key_words_belong_to_streams_or_tables() -> None:
    with pytest.raises(ParseError, match="please use 'KEY' for streams"):
        parse("CREATE STREAM s (k INT PRIMARY KEY) WITH (x='1');")
    with pytest.raises(ParseError, match="please use 'PRIMARY KEY' for tables"):
        parse("CREATE TABLE s (k INT KEY) WITH (x='1');")


@pytest.mark.parametrize("name", ["MAP", "DECIMAL", "STRUCT<a INT, A INT>"])
def test_types_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(ParseError, match=r"Duplicate field|unknown type"):
        parse(f"CREATE STREAM s (a {name}) WITH (x='1');")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("MAP<STRING, ARRAY<INT>>", "MAP<STRING, ARRAY<INTEGER>>"),
        ("STRUCT<a INT, `b` DECIMAL(4,2)>", "STRUCT<`A` INTEGER, `b` DECIMAL(4, 2)>"),
        ("address", "ADDRESS"),
    ],
)
def test_types_of_others(text: str, shown: str) -> None:
    (parsed,) = parse(f"CREATE STREAM s (a {text}) WITH (x='1');")
    assert isinstance(parsed.ast, ast.CreateSourceStatement)
    assert str(parsed.ast.columns[0].type) == shown


@pytest.mark.parametrize("word", sorted(NON_RESERVED))
def test_words_that_are_not_reserved_name_anything(word: str) -> None:
    parse(f"CREATE STREAM {word} ({word} INT KEY, x INT) WITH (kafka_topic='a');")
    query = query_of(
        f"SELECT {word}, a.{word}, {word}.*, f({word}) AS {word}, x {word} FROM {word} {word} WHERE {word} = 1;"
    )
    assert query.source == ast.Relation(word, word)


@given(
    st.lists(
        st.sampled_from([*sorted(KEYWORDS), "a", "`b`", "1", "'t'", "(", ")", ",", "=", "*", ";", "${v}", "?"]),
        max_size=12,
    )
)
def test_any_words_are_parsed_or_refused(words: list[str]) -> None:
    try:
        parse(" ".join(words))
    except ParseError as error:
        assert error.message


def test_the_tables_are_those_of_the_grammar() -> None:
    tables = resources.files("services.ksql.sql").joinpath(lalr.TABLES).read_text(encoding="utf-8")
    assert tables == compiled(), "make grammar"
