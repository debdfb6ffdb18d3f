"""Statements as we write them and as ksqlDB answers them."""

from __future__ import annotations

import pytest

from services.provisioner.errors import BrokenResource
from services.provisioner.statements import canonical, describe_difference
from tests.golden import lines

COUNT = "CREATE TABLE t WITH (KAFKA_TOPIC='x', PARTITIONS=5) AS SELECT a, COUNT(*) AS `n` FROM s {} GROUP BY a EMIT CHANGES;"


def test_the_servers_rendering_of_each_statement_is_no_difference() -> None:
    pairs = [
        (record["request"]["ksql"], record["response"][0]["statementText"])
        for record in lines("rest.jsonl")
        if record["name"].startswith("pipeline-")
    ]
    assert len(pairs) == 10
    for ours, theirs in pairs:
        assert describe_difference(canonical(ours), canonical(theirs)) == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "field"),
    [
        (COUNT.format(""), COUNT.format("").replace("`n`", "`m`"), "statement"),
        (COUNT.format(""), COUNT.format("WHERE a > 1"), "statement"),
        (COUNT.format(""), COUNT.format("").replace("=5", "=6"), "WITH PARTITIONS"),
        (
            COUNT.format("WINDOW TUMBLING (SIZE 1 MINUTE)"),
            COUNT.format("WINDOW TUMBLING (SIZE 2 MINUTES)"),
            "statement",
        ),
        (
            "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='x');",
            "CREATE STREAM s (a BIGINT) WITH (KAFKA_TOPIC='x');",
            "statement",
        ),
        ("CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='x');", "CREATE TABLE s (a INT) WITH (KAFKA_TOPIC='x');", "kind"),
        (
            "CREATE STREAM j AS SELECT p.a AS a FROM p JOIN u ON p.a = u.a;",
            "CREATE STREAM J AS SELECT U.A A FROM P INNER JOIN U ON ((P.A = U.A));",
            "statement",
        ),
    ],
)
def test_a_real_difference_is_seen(ours: str, theirs: str, field: str) -> None:
    assert [name for name, _, _ in describe_difference(canonical(ours), canonical(theirs))] == [field]


def test_comments_semicolons_and_synonyms_do_not_count() -> None:
    ours = "-- a; b\nCREATE STREAM s (a VARCHAR KEY, b INT) WITH (KAFKA_TOPIC='x');"
    theirs = "CREATE STREAM S (A STRING KEY, B INTEGER) WITH (CLEANUP_POLICY='delete', KAFKA_TOPIC='x');"
    assert describe_difference(canonical(ours), canonical(theirs)) == ()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("""SELECT "x" FROM s""", "SELECT `x` `x` FROM S S"),
        ("SELECT a || 'it''s' AS b FROM s", "SELECT (S.A || 'it''s') B FROM S S"),
        ("SELECT a FROM s WHERE a > -5 AND b < 1.5e3", "SELECT S.A A FROM S S WHERE ((S.A > -5) AND (S.B < 1.5e3))"),
    ],
)
def test_every_lexeme_of_ksql_can_be_compared(ours: str, theirs: str) -> None:
    assert (
        describe_difference(canonical(f"CREATE STREAM t AS {ours};"), canonical(f"CREATE STREAM T AS {theirs};")) == ()
    )


def test_a_name_whose_case_matters_is_not_the_same_as_its_capitals() -> None:
    ours, theirs = "CREATE STREAM t AS SELECT `x` FROM s;", "CREATE STREAM T AS SELECT X FROM S;"
    assert [name for name, _, _ in describe_difference(canonical(ours), canonical(theirs))] == ["statement"]


def test_sources_and_topic() -> None:
    statement = canonical("CREATE STREAM j WITH (KAFKA_TOPIC='y') AS SELECT p.a FROM p p JOIN u u ON p.a = u.a;")
    assert (statement.sources, statement.topic, statement.is_query) == (("P", "U"), "y", True)


@pytest.mark.parametrize("text", ["DROP TABLE x;", "CREATE", "CREATE STREAM s (a INT) WITH (X='unclosed);"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BrokenResource):
        canonical(text)
