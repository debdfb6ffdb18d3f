"""Tokens of the grammar: the lexemes of SQL text with keywords set apart from names, and the split into statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.ksql.errors import ParseError
from services.ksql.sql.lalr import Token
from shared.ksql_lexer import SKIPPED, lexemes, unquote_identifier


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


#: Words that have a meaning of their own and can name nothing unless quoted.
RESERVED = words(
    """ALL AND AS BETWEEN BY CASE CAST CREATE CROSS DELETE DESCRIBE DISTINCT DROP ELSE END EXISTS FALSE FROM FULL GROUP
    HAVING IN INNER INSERT INTO IS JOIN LEFT LIKE LIMIT LIST NOT NULL ON OR OUTER PRINT RIGHT SELECT STREAM TABLE TERMINATE THEN
    TRUE UNSET VALUES WHEN WHERE WINDOW WITH WITHIN"""
)
#: Words that the grammar knows, but that may name a column or a source too.
NON_RESERVED = words(
    """ADD ADVANCE ALTER ASSERT BEGINNING CHANGES COLUMN CONNECTOR CONNECTORS DAY DAYS DECIMAL DEFINE EMIT ESCAPE EXPLAIN
    EXTENDED FINAL FUNCTION FUNCTIONS GRACE HEADER HEADERS HOPPING HOUR HOURS IF INTERVAL KEY MILLISECOND MILLISECONDS MINUTE
    MINUTES MONTH MONTHS PARTITION PAUSE PERIOD PLUGINS PRIMARY PROPERTIES QUERIES REPLACE RESUME RETENTION RUN SAMPLE SCRIPT SECOND
    SECONDS SESSION SET SHOW SINK SIZE SOURCE STREAMS STRING TABLES TOPIC TOPICS TUMBLING TYPE TYPES UNDEFINE VARCHAR VARIABLES
    YEAR YEARS ARRAY MAP STRUCT"""
)
KEYWORDS = RESERVED | NON_RESERVED

#: Keywords within a statement that begins with ASSERT, names everywhere else.
_OF_ASSERT = words("ID SCHEMA SUBJECT TIMEOUT")

#: Non-reserved words that are keywords only before one of these; elsewhere they are names. Keeps the grammar LALR(1).
_ONLY_BEFORE = {
    "EMIT": {"CHANGES", "FINAL"},
    "PARTITION": {"BY"},
    "SOURCE": {"STREAM", "TABLE", "CONNECTOR", "CONNECTORS"},
    "SINK": {"CONNECTOR", "CONNECTORS"},
}

_SYMBOLS = {
    "<>": "NEQ",
    "!=": "NEQ",
    "<=": "LTE",
    ">=": "GTE",
    "||": "CONCAT",
    "=>": "ARROW",
    "->": "DEREF",
    ":=": "ASSIGN",
    "=": "EQ",
    "<": "LT",
    ">": "GT",
    "+": "PLUS",
    "-": "MINUS",
    "*": "ASTERISK",
    "/": "SLASH",
    "%": "PERCENT",
    "(": "LPAR",
    ")": "RPAR",
    "[": "LSQB",
    "]": "RSQB",
    ",": "COMMA",
    ".": "DOT",
    ";": "SEMICOLON",
}


def tokenize(text: str) -> list[Token]:
    """All tokens of ``text`` with 1-based line and column. A character that begins no token becomes an UNRECOGNIZED one."""
    tokens: list[Token] = []
    line, line_start = 1, 0
    for kind, value, position in lexemes(text):
        if kind != SKIPPED:
            name = _SYMBOLS[value] if kind == "SYMBOL" else kind
            tokens.append(Token(name, value, position, line, position - line_start + 1))
        newlines = value.count("\n")
        if newlines:
            line += newlines
            line_start = position + value.rindex("\n") + 1
    return _with_keywords(tokens)


def _with_keywords(tokens: list[Token]) -> list[Token]:
    asserted = False
    for index, token in enumerate(tokens):
        if index == 0 or tokens[index - 1].type == "SEMICOLON":
            asserted = token.upper() == "ASSERT"
        if (
            token.type == "ARROW"
            and index > 2
            and tokens[index - 1].type == "RPAR"
            and tokens[index - 3].type == "LPAR"
        ):
            # (X) => ...: else LPAR IDENT RPAR is an expression in brackets, which one token more would have to tell
            tokens[index - 3].type = "LAMBDA_LPAR"
        if token.type != "IDENT":
            continue
        word = token.upper()
        if word not in KEYWORDS and not (asserted and word in _OF_ASSERT):
            continue
        needed = _ONLY_BEFORE.get(word)
        if needed is not None:
            following = tokens[index + 1].upper() if index + 1 < len(tokens) else ""
            if following not in needed or (word == "SOURCE" and not _heads_source_kind(tokens, index)):
                continue
        token.type = word
    return tokens


def _heads_source_kind(tokens: list[Token], index: int) -> bool:
    previous = tokens[index - 1].upper() if index else ""
    return previous in {"CREATE", "REPLACE", "SHOW", "LIST"}


def split_statements(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """The tokens of each statement; each list but a last unfinished one ends with its semicolon."""
    current: list[Token] = []
    for token in tokens:
        current.append(token)
        if token.type == "SEMICOLON":
            yield current
            current = []
    if current:
        yield current


def identifier_text(token: Token) -> str:
    """The name of a token: exact when quoted, else upper-cased."""
    value = str(token)
    if token.type == "QUOTED":
        name = unquote_identifier(value)
        if not name:
            raise ParseError("Identifiers may not be empty")
        return name
    return value.upper()
