"""What is too much for one statement: it is refused before anything walks through it level by level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lark import Token, Tree

from services.ksql.errors import ParseError

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
            raise ParseError(f"The variables of the statement stand for more than {MAX_REPLACED} characters")
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
