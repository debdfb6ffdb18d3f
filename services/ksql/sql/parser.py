"""Text to statements: the entry to ``sql``. Tokens, variables, syntax tree, AST, and the limits of one statement."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final

import lark
from lark import Lark, Token, Tree, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from services.ksql.errors import ParseError
from services.ksql.sql import ast
from services.ksql.sql.builder import build_statement, trees
from services.ksql.sql.syntax_errors import describe, end_token
from services.ksql.sql.tokens import NoLexer, split_statements, tokenize

_log = logging.getLogger(__name__)

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


def check_depth(tree: Tree[Token]) -> None:
    """Raises ParseError for a tree of too many levels."""
    level: list[Tree[Token]] = [tree]
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


def _substituted(piece: Sequence[Token], text: str, defined: Mapping[str, str]) -> tuple[str, Tree[Token]]:
    """A statement with its variables replaced; the unknown ones stay, and fail where a name is wanted."""
    start, end = piece[0].start_pos or 0, piece[-1].end_pos
    growth = Growth()
    replaced = _VARIABLE.sub(lambda match: growth.add(defined.get(match[1].upper(), match[0])), text[start:end])
    before = text[:start]
    padding = "\n" * before.count("\n") + " " * (start - (before.rfind("\n") + 1))
    return replaced, _syntax_tree(tokenize(padding + replaced), padding + replaced, replaced)


def _build(tree: Tree[Token], statement_text: str) -> ast.Statement:
    try:
        check_depth(tree)
        return build_statement(trees(tree)[0])
    except ParseError as error:
        if error.statement:
            raise
        raise ParseError(f"Failed to prepare statement: {error.message}", statement=statement_text) from error


def _syntax_tree(piece: Sequence[Token], text: str, shown: str | None = None) -> Tree[Token]:
    check_numbers(piece)
    parser = _parser()
    for index, token in enumerate([*piece, None]):
        current = token if token is not None else end_token(piece, text)
        if token is None and piece[-1].type == "SEMICOLON":
            break
        try:
            parser.feed_token(current)
        except UnexpectedToken:
            before = _parser(piece[:index])
            error = describe(current, _accepted(before), partial(_repairs, before, current), first=index == 0)
            error.statement = shown if shown is not None else text
            raise error from None
        check_open(len(parser.parser_state.state_stack))
    tree: Tree[Token] = parser.feed_token(Token("$END", ""))
    return tree


def _parser(tokens: Iterable[Token] = ()) -> InteractiveParser:
    """A parser that has read ``tokens``. One that refused a token is of no use: it reduced what it held before it found out."""
    parser: InteractiveParser = _grammar().parse_interactive("")
    for token in tokens:
        parser.feed_token(token)
    return parser


def _copy(parser: InteractiveParser) -> InteractiveParser:
    return InteractiveParser.copy(parser, deepcopy_values=False)  # type: ignore[no-any-return,no-untyped-call]


def _accepted(parser: InteractiveParser) -> set[str]:
    return set(parser.accepts())  # type: ignore[no-untyped-call]


def _repairs(parser: InteractiveParser, token: Token, inserted: str) -> bool:
    """Whether the parse could go on at ``token`` after one more terminal before it."""
    attempt = _copy(parser)
    try:
        attempt.feed_token(Token(inserted, ""))
        attempt.feed_token(token)
    except UnexpectedToken:
        return False
    return True


@cache
def _grammar() -> Lark:
    grammar = resources.files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    kept = _kept_tables(grammar)
    try:
        if kept is not None and kept.stat().st_uid == os.getuid():
            with kept.open("rb") as file:
                return Lark.load(file)
    except Exception:
        _log.debug("the kept tables of the grammar cannot be read: %s", kept)
    made = Lark(grammar, parser="lalr", lexer=NoLexer, maybe_placeholders=False)
    if kept is not None:
        _keep(made, kept)
    return made


def _kept_tables(grammar: str) -> Path | None:
    """Where the parser's tables are kept, in the user's cache folder; its name changes with everything that they depend on."""
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME")
    if not home:
        return None
    folder = Path(home) if os.environ.get("XDG_CACHE_HOME") else Path(home, ".cache")
    made_of = f"{lark.__version__}{sys.version_info[:2]}{NoLexer.__module__}{grammar}"
    return folder / "pagepulse" / f"ksql-grammar-{sha256(made_of.encode()).hexdigest()[:32]}"


def _keep(made: Lark, path: Path) -> None:
    """Writes the tables in one step: other processes may do the same. Without a folder to write to, nothing is kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "wb") as file:
            made.save(file)
        Path(name).replace(path)
    except OSError:
        _log.debug("the tables of the grammar cannot be kept at %s", path)
