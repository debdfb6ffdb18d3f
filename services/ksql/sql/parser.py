"""Text to statements: the entry to ``sql``. Tokens, variables, syntax tree, AST, and the limits of one statement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.ksql.errors import ParseError
from services.ksql.sql import ast
from services.ksql.sql.builder import build_statement, trees
from services.ksql.sql.lalr import Parser, Token, Tree, UnexpectedToken
from services.ksql.sql.syntax_errors import describe, end_token
from services.ksql.sql.tokens import split_statements, tokenize

#: levels of a statement's tree, where ``a AND b AND c`` has two; each costs the later stages up to seven of Python's 1,000 frames
MAX_DEPTH: Final = 100
#: states that the parser holds at once: a level has fewer than ten
MAX_OPEN: Final = 10 * MAX_DEPTH
#: digits of a number: Python turns no text of more than 4,300 into an integer
MAX_DIGITS: Final = 1_000
#: characters that the variables of a statement may bring in: each can be defined by ten of the one before it
MAX_REPLACED: Final = 256 * 1024
_NUMBERS: Final = frozenset({"INTEGER_VALUE", "DECIMAL_VALUE", "FLOAT_VALUE"})


def check_numbers(tokens: Sequence[Token]) -> None:
    """Raises ParseError for a number of too many digits."""
    for token in tokens:
        if token.type in _NUMBERS and len(token) > MAX_DIGITS:
            where = f"line {token.line}:{token.column}"
            raise ParseError(f"{where}: Invalid numeric literal: more than {MAX_DIGITS} digits")


class Growth:
    """Counts what variables bring into one statement."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, text: str) -> str:
        """``text``; raises ParseError if it is too much with what came before."""
        self._total += len(text)
        if self._total > MAX_REPLACED:
            raise ParseError(f"The values of the statement's variables have more than {MAX_REPLACED} characters")
        return text


def check_depth(tree: Tree) -> None:
    """Raises ParseError for a tree of too many levels."""
    level: list[Tree] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.children if isinstance(child, Tree)]
        if not level:
            return
    raise _too_deep()


def check_open(states: int) -> None:
    """Raises ParseError where a statement opens more than it could close in time: what comes after is not looked at."""
    if states > MAX_OPEN:
        raise _too_deep()


def _too_deep() -> ParseError:
    return ParseError(f"The statement is nested too deeply: more than {MAX_DEPTH} levels of expressions or types")


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """``text`` is the statement as written, from its first word to its semicolon, variables replaced."""

    text: str
    ast: ast.Statement


def parse(text: str, variables: Mapping[str, str] | None = None) -> list[ParsedStatement]:
    """All statements of ``text``. DEFINE and UNDEFINE act on the statements after them.

    Raises ParseError; its ``statement`` is the whole text for a syntax error, else the statement at fault.
    """
    defined = dict(variables or {})
    tokens = tokenize(text)
    parsed: list[ParsedStatement] = []
    pieces = list(split_statements(tokens))
    syntax = [_syntax_tree(piece, text) if not _has_variable(piece) else None for piece in pieces]
    for piece, known_tree in zip(pieces, syntax, strict=True):
        if known_tree is None:
            statement_text, tree = _substituted(piece, text, defined)
        else:
            statement_text, tree = text[piece[0].start_pos : piece[-1].end_pos], known_tree
        statement = _build(tree, statement_text)
        if isinstance(statement, ast.Define):
            defined[statement.name.upper()] = statement.value
        elif isinstance(statement, ast.Undefine):
            defined.pop(statement.name.upper(), None)
        parsed.append(ParsedStatement(statement_text, statement))
    return parsed


def parse_one(text: str, variables: Mapping[str, str] | None = None) -> ParsedStatement:
    """The only statement of ``text``."""
    parsed = parse(text, variables)
    if len(parsed) != 1:
        raise ParseError(f"Expected exactly one KSQL statement; found {len(parsed)} instead", statement=text)
    return parsed[0]


def _has_variable(piece: Sequence[Token]) -> bool:
    return any("${" in token for token in piece)


def _substituted(piece: Sequence[Token], text: str, defined: Mapping[str, str]) -> tuple[str, Tree]:
    """A statement with its variables replaced; the unknown ones stay, and fail where a name is wanted."""
    start, end = piece[0].start_pos, piece[-1].end_pos
    growth = Growth()
    replaced = _VARIABLE.sub(lambda match: growth.add(defined.get(match[1].upper(), match[0])), text[start:end])
    before = text[:start]
    padding = "\n" * before.count("\n") + " " * (start - (before.rfind("\n") + 1))
    return replaced, _syntax_tree(tokenize(padding + replaced), padding + replaced, replaced)


def _build(tree: Tree, statement_text: str) -> ast.Statement:
    try:
        check_depth(tree)
        return build_statement(trees(tree)[0])
    except ParseError as error:
        if error.statement:
            raise
        raise ParseError(f"Failed to prepare statement: {error.message}", statement=statement_text) from error


def _syntax_tree(piece: Sequence[Token], text: str, shown: str | None = None) -> Tree:
    check_numbers(piece)
    parser = Parser()
    for index, token in enumerate(piece):
        try:
            parser.feed(token)
        except UnexpectedToken:
            raise _syntax_error(piece[:index], token, shown if shown is not None else text) from None
        check_open(parser.depth)
    if piece[-1].type != "SEMICOLON":
        raise _syntax_error(piece, end_token(piece, text), shown if shown is not None else text)
    return parser.finish()


def _syntax_error(before: Sequence[Token], token: Token, text: str) -> ParseError:
    parser = Parser(before)
    error = describe(token, parser.accepted(), lambda missing: parser.accepts(missing, token.type), before)
    error.statement = text
    return error
