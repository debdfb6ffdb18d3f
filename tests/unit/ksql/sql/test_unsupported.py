"""KSQL that this server knows and does not run: errors name the part and its place. Words of statements that are names elsewhere."""

from __future__ import annotations

import pytest

from services.ksql.errors import ParseError
from services.ksql.sql import ast
from services.ksql.sql.parser import parse_one


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ("SHOW STREAMS; RUN SCRIPT 'a.sql';", "1:15", "The statement RUN SCRIPT"),
        ("alter system 'ksql.a' = 'b';", "1:7", "The statement ALTER SYSTEM"),
    ],
)
def test_the_part_is_named(text: str, place: str, part: str) -> None:
    with pytest.raises(ParseError, match="not supported by this server") as error:
        parse_one(text)
    assert f"line {place}: " in error.value.message
    assert part in error.value.message
    assert "Syntax Error" not in error.value.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("SELECT a-> FROM s EMIT CHANGES;", "1:12"),
        ("SELECT x[ FROM s EMIT CHANGES;", "1:11"),
        ("SELECT a->b FRM s EMIT CHANGES;", "1:17"),
        ("SELECT F(x => ) FROM s EMIT CHANGES;", "1:15"),
        ("CREATE SINK CONNECTOR c WITH ('a' 'b');", "1:35"),
        ("PRINT 'a' 'b';", "1:11"),
        ("ASSERT VALUES s (a) VALUES (1);", "1:8"),
    ],
)
def test_a_syntax_error_is_still_one(text: str, place: str) -> None:
    with pytest.raises(ParseError, match=f"line {place}: Syntax Error"):
        parse_one(text)


def test_a_length_of_another_type_than_text_is_refused() -> None:
    assert parse_one("CREATE STREAM s (a VARCHAR(10)) WITH (b='c');")
    with pytest.raises(ParseError, match="The type INT takes no parameter"):
        parse_one("CREATE STREAM s (a INT(10)) WITH (b='c');")


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("PRINT 'topic3_Users' FROM BEGINNING LIMIT 2;", "topic3_Users"),
        ("PRINT '_a-b''c' SAMPLE 3;", "_a-b'c"),
        ("PRINT `t-1`;", "t-1"),
        ("PRINT topic1_PageView;", "topic1_PageView"),
    ],
)
def test_a_topic_may_be_quoted(text: str, topic: str) -> None:
    statement = parse_one(text).ast
    assert isinstance(statement, ast.Print)
    assert statement.topic == topic


@pytest.mark.parametrize("name", ["id", "schema", "subject", "timeout"])
def test_the_words_of_assert_are_names(name: str) -> None:
    assert parse_one(f"ASSERT TOPIC {name} TIMEOUT 1 SECOND;").ast == ast.AssertTopic(name, timeout_ms=1000)
    query = parse_one(f"SELECT {name} FROM {name} EMIT CHANGES;").ast
    assert isinstance(query, ast.Select)
    assert query.source.name == name.upper()
