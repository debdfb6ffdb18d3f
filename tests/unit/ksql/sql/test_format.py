import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ksql.model.schema import Column, Schema
from services.ksql.model.types import BIGINT, STRING
from services.ksql.sql import ast
from services.ksql.sql.format import format_expression, format_schema, format_statement, masked_insert_values, quote
from services.ksql.sql.parser import parse_one


def test_names_are_quoted_only_where_they_must() -> None:
    assert [quote(name) for name in ("PLAIN_1", "lower", "SELECT", "with`tick", "1R")] == [
        "PLAIN_1",
        "`lower`",
        "`SELECT`",
        "`with``tick`",
        "`1R`",
    ]


def test_schema_as_messages_show_it() -> None:
    schema = Schema((Column("K", STRING),), (Column("n", BIGINT),))
    assert format_schema(schema) == "`K` STRING KEY, `n` BIGINT"


def test_create_statement_sorts_its_properties() -> None:
    text = "create table if not exists t (k int primary key, `v` varchar) with (value_format='JSON', kafka_topic='x', partitions=2);"
    assert format_statement(parse_one(text).ast) == (
        "CREATE TABLE IF NOT EXISTS T (K INTEGER PRIMARY KEY, `v` STRING) "
        "WITH (KAFKA_TOPIC='x', PARTITIONS=2, VALUE_FORMAT='JSON');"
    )


def test_query_over_several_lines() -> None:
    text = (
        "CREATE TABLE t AS SELECT a.k k, COUNT(*) `n` FROM s a JOIN r b WITHIN 1 SECOND ON a.k = b.k "
        "WINDOW SESSION (5 MINUTES) WHERE a.x IS NULL GROUP BY a.k HAVING COUNT(*) > 1 EMIT CHANGES;"
    )
    assert format_statement(parse_one(text).ast) == (
        "CREATE TABLE T AS SELECT\n  A.K K,\n  COUNT(*) `n`\nFROM S A\nINNER JOIN R B WITHIN 1 SECONDS ON ((A.K = B.K))\n"
        "WINDOW SESSION ( 5 MINUTES ) \nWHERE (A.X IS NULL)\nGROUP BY A.K\nHAVING (COUNT(*) > 1)\nEMIT CHANGES;"
    )


def test_inserted_values_are_masked() -> None:
    statement = parse_one("INSERT INTO s (a, b) VALUES (1, 'secret');").ast
    assert isinstance(statement, ast.InsertValuesStatement)
    assert masked_insert_values(statement) == "INSERT INTO `S` (`A`, `B`) VALUES ('[value]', '[value]');"


@pytest.mark.parametrize(
    "text",
    [
        "DROP STREAM IF EXISTS S DELETE TOPIC;",
        "SHOW ALL TOPICS EXTENDED;",
        "DESCRIBE FUNCTION LEN;",
        "SET 'a'='it''s';",
        "PAUSE ALL;",
        "INSERT INTO S (A) VALUES (1);",
        "EXPLAIN SELECT A A\nFROM S S\nEMIT CHANGES;",
    ],
)
def test_what_is_printed_is_parsed_back(text: str) -> None:
    assert format_statement(parse_one(text).ast) == text


_names = st.sampled_from(["A", "B", "c d", "SELECT", "KEY"])
_leaves = st.one_of(
    st.builds(ast.ColumnName, st.none() | _names, _names),
    st.integers(0, 2**31 - 1).map(lambda n: ast.Literal(n, "integer", str(n))),
    st.text("ab' %", max_size=5).map(lambda t: ast.Literal(t, "string")),
    st.sampled_from([ast.Literal(None, "null"), ast.Literal(True, "boolean")]),
)


def _grow(inner: st.SearchStrategy[ast.Expression]) -> st.SearchStrategy[ast.Expression]:
    return st.one_of(
        st.builds(ast.Arithmetic, st.sampled_from("+-*/%"), inner, inner),
        st.builds(ast.Comparison, st.sampled_from(["=", "<>", "<", ">=", "IS DISTINCT FROM"]), inner, inner),
        st.builds(ast.Logical, st.sampled_from(["AND", "OR"]), inner, inner),
        st.builds(ast.Not, inner),
        st.builds(ast.IsNull, inner, st.booleans()),
        st.builds(ast.Between, inner, inner, inner),
        st.builds(ast.In, inner, st.tuples(inner, inner)),
        st.builds(ast.Like, inner, inner, st.none() | st.just("!")),
        st.builds(ast.Cast, inner, st.sampled_from([BIGINT, STRING])),
        st.builds(ast.Call, st.sampled_from(["F", "COUNT"]), st.lists(inner, max_size=2).map(tuple)),
        st.builds(ast.Case, st.none() | inner, st.tuples(st.builds(ast.When, inner, inner)), st.none() | inner),
    )


@given(st.recursive(_leaves, _grow, max_leaves=12))
def test_any_expression_survives_printing_and_parsing(expression: ast.Expression) -> None:
    statement = parse_one(f"SELECT {format_expression(expression, quoted=True)} FROM s;").ast
    assert isinstance(statement, ast.Select)
    item = statement.select[0]
    assert isinstance(item, ast.SelectItem)
    assert item.expression == expression
