import pytest

from services.ksql.errors import ParseError
from services.ksql.sql.parser import parse


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SHWO TABLES;", "line 1:1: Syntax Error\nUnknown statement 'SHWO'\nDid you mean 'SHOW'?"),
        ("BANANA;", "line 1:1: Syntax Error\nUnknown statement 'BANANA'"),
        ("SHOW TABLES", "line 1:12: Syntax Error\nmissing ';' at '<EOF>'"),
        ("SHOW TABLES;\nSHOW TABLES", "line 2:12: Syntax Error\nmissing ';' at '<EOF>'"),
        ("CREATE TABLE x (a INT WITH (b='c');", "line 1:23: Syntax Error\nExpecting {',', ')'}"),
        ("SELECT a, b WHERE a;", "line 1:13: Syntax Error\nExpecting {',', 'FROM'}"),
        (
            "CREATE STREAM x (where INT) WITH (b='c');",
            'line 1:18: Syntax Error\n"where" is a reserved keyword and it can\'t be used as an identifier. '
            "You can use it as an identifier by escaping it as 'where' ",
        ),
        ("SELECT a FROM b WHERE c = 'open;", "line 1:27: Syntax Error\n"),
        ("SELECT a,, b FROM c;", "line 1:10: Syntax Error\n"),
        ("SELECT COUNT(DISTINCT a) FROM b;", "line 1:14: Syntax Error\n"),
        ("SELECT a FROM b GROUP BY a, (c, d);", "line 1:31: Syntax Error\nmissing ')' at ','"),
        ("SELECT a FROM b WHERE a IN ();", "line 1:29: Syntax Error\n"),
        ("CREATE STREAM x (a INT (KEY)) WITH (b='c');", "line 1:25: Syntax Error\nExpecting {'STRING', INTEGER_VALUE}"),
    ],
)
def test_wording(text: str, message: str) -> None:
    with pytest.raises(ParseError) as error:
        parse(text)
    assert error.value.message == message
    assert error.value.statement == text


def test_a_bad_second_statement_fails_the_whole_text() -> None:
    with pytest.raises(ParseError, match="line 1:15: Syntax Error"):
        parse("SHOW STREAMS; NONSENSE x;")
