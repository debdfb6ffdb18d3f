from __future__ import annotations

import pytest

from shared.ksql_lexer import SKIPPED, UNRECOGNIZED, lexemes, unquote_identifier, unquote_string

HARD = "SELECT `a``b`, \"c\", 'it''s', 1.5e-3, .5, 2x, ${v} -- end\n/* c */ FROM s WHERE a->b != -1 || 'x' /* open; $"


def kinds(text: str) -> list[tuple[str, str]]:
    return [(kind, found) for kind, found, _ in lexemes(text) if kind != SKIPPED]


def test_the_lexemes_joined_are_the_text() -> None:
    found = list(lexemes(HARD))
    assert "".join(lexeme.text for lexeme in found) == HARD
    assert all(HARD.startswith(lexeme.text, lexeme.position) for lexeme in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5e-3", [("FLOAT_VALUE", "1.5e-3")]),
        ("-1", [("SYMBOL", "-"), ("INTEGER_VALUE", "1")]),
        ("2x", [("DIGIT_IDENT", "2x")]),
        ("a->b", [("IDENT", "a"), ("SYMBOL", "->"), ("IDENT", "b")]),
        ("/* open", [("SYMBOL", "/"), ("SYMBOL", "*"), ("IDENT", "open")]),
        ("a-- rest", [("IDENT", "a")]),
        ("$", [(UNRECOGNIZED, "$")]),
        ("'open", [(UNRECOGNIZED, "'"), ("IDENT", "open")]),
    ],
)
def test_kinds(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(text) == expected


def test_quotes_are_undone() -> None:
    assert unquote_string("'it''s'") == "it's"
    assert (unquote_identifier("`a``b`"), unquote_identifier('"c"')) == ("a`b", "c")
