"""The lexical rules of KSQL: text to lexemes, without any meaning.

The embedded engine builds its parser on them; the provisioner compares statements with them. A contract of import-linter keeps both
to this one lexer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

SKIPPED = "SKIP"
"""Kind of white space and comments."""
UNRECOGNIZED = "UNRECOGNIZED"
"""Kind of a character that begins no lexeme."""

_LEXEME = re.compile(
    r"""
      (?P<SKIP>\s+|--[^\n\r]*|/\*.*?\*/)
    | (?P<STRING_VALUE>'(?:[^']|'')*')
    | (?P<QUOTED>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    | (?P<VARIABLE>\$\{[A-Za-z_][A-Za-z0-9_]*\})
    | (?P<FLOAT_VALUE>(?:\d+(?:\.\d*)?|\.\d+)[eE][+-]?\d+)
    | (?P<DECIMAL_VALUE>\d+\.\d*|\.\d+)
    | (?P<DIGIT_IDENT>\d+(?:[A-Za-z_@]|:(?!=))(?:[A-Za-z0-9_@]|:(?!=))*)
    | (?P<INTEGER_VALUE>\d+)
    | (?P<IDENT>[A-Za-z_](?:[A-Za-z0-9_@]|:(?!=))*)
    | (?P<SYMBOL><>|!=|<=|>=|\|\||=>|->|:=|[-=<>+*/%()\[\],.;])
    """,
    re.VERBOSE | re.DOTALL,
)
_SLASH = re.compile("(?P<SYMBOL>/)")


class Lexeme(NamedTuple):
    """``kind`` is the name of a group above, or ``UNRECOGNIZED``; ``position`` the index of the first character."""

    kind: str
    text: str
    position: int


def lexemes(text: str) -> Iterator[Lexeme]:
    """All of ``text`` in order, white space and comments included: the lexemes joined are ``text`` again."""
    position = 0
    # After the last end of a comment no comment can begin: without this each /* would be searched to the end of the text.
    last_comment = text.rfind("*/")
    while position < len(text):
        unfinished = position > last_comment and text.startswith("/*", position)
        match = _SLASH.match(text, position) if unfinished else _LEXEME.match(text, position)
        found = match.group() if match else text[position]
        yield Lexeme((match.lastgroup or UNRECOGNIZED) if match else UNRECOGNIZED, found, position)
        position += len(found)


def unquote_string(literal: str) -> str:
    """The text of a string literal."""
    return literal[1:-1].replace("''", "'")


def unquote_identifier(quoted: str) -> str:
    """The name in back-ticks or double quotes."""
    quote = quoted[0]
    return quoted[1:-1].replace(quote * 2, quote)
