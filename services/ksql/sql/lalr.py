"""The parser: tokens in, a syntax tree out, by the LALR(1) tables that ``compile_grammar`` makes of ``grammar.lark`` with lark.

The tables are in the package, so nothing is compiled or unpickled when a process starts, and lark is needed only to change the grammar.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import orjson

END: Final = "$END"
"""Kind of the token after the last."""
TABLES: Final = "grammar.json"


class Token(str):
    """A text with its kind, the position of its first character, and its line and column, both from 1."""

    __slots__ = ("column", "line", "start_pos", "type")

    type: str
    start_pos: int
    line: int
    column: int

    def __new__(cls, kind: str, text: str, start_pos: int, line: int, column: int) -> Token:
        made = super().__new__(cls, text)
        made.type, made.start_pos, made.line, made.column = kind, start_pos, line, column
        return made

    @property
    def end_pos(self) -> int:
        return self.start_pos + len(self)


class Tree:
    """A rule, or the name after its ``->``, and what it was made of."""

    __slots__ = ("children", "data")

    def __init__(self, data: str, children: list[Token | Tree]) -> None:
        self.data = data
        self.children = children


class UnexpectedToken(Exception):
    """The text cannot go on with this token."""


class _Rule(NamedTuple):
    origin: str
    #: what its tree is called
    name: str
    #: symbols that it takes off the stack
    length: int
    #: of these the ones that the tree has, and of those the ones whose children take their place
    kept: list[int]
    inlined: list[int]
    #: a tree of one child is that child
    vanishes: bool


class _Tables(NamedTuple):
    rules: list[_Rule]
    #: for each state: by kind of the next token the state to go to, or ``~rule`` to reduce first
    actions: list[dict[str, int]]
    #: for each state: by rule the state after it
    gotos: list[dict[str, int]]
    #: the state after the whole text; the first state is 0
    end: int


class Parser:
    """Reads the tokens of one statement. After an UnexpectedToken it is of no use: it has reduced what it held."""

    __slots__ = ("_states", "_tables", "_values")

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._tables = _tables()
        self._states = [0]
        self._values: list[Any] = []
        for token in tokens:
            self.feed(token)

    @property
    def depth(self) -> int:
        """States that are open."""
        return len(self._states)

    def feed(self, token: Token) -> None:
        """Raises UnexpectedToken."""
        self._advance(token.type)
        self._values.append(token)

    def finish(self) -> Tree:
        """The tree of the whole text. Raises UnexpectedToken if it is unfinished."""
        self._advance(END)
        tree: Tree = self._values[-1]
        return tree

    def accepted(self) -> set[str]:
        """The kinds of tokens with which the text could go on."""
        return {kind for kind in self._tables.actions[self._states[-1]] if self.accepts(kind)}

    def accepts(self, *kinds: str) -> bool:
        """Whether the text could go on with tokens of these kinds, one after the other."""
        attempt = Parser()
        attempt._states = self._states.copy()
        try:
            for kind in kinds:
                attempt._advance(kind, trees=False)
        except UnexpectedToken:
            return False
        return True

    def _advance(self, kind: str, *, trees: bool = True) -> None:
        """Reduces until a token of this kind can be shifted, and shifts it: its value is the caller's to append."""
        rules, actions, gotos, end = self._tables
        states, values = self._states, self._values
        while True:
            action = actions[states[-1]].get(kind)
            if action is None:
                if kind == END and states[-1] == end:
                    return
                raise UnexpectedToken
            if action >= 0:
                states.append(action)
                return
            rule = rules[~action]
            if rule.length:
                del states[-rule.length :]
            states.append(gotos[states[-1]][rule.origin])
            if trees:
                children = _children(rule, values)
                values.append(children[0] if rule.vanishes and len(children) == 1 else Tree(rule.name, children))


def _children(rule: _Rule, values: list[Any]) -> list[Any]:
    """What the rule's symbols have left, taken off the stack of values."""
    if not rule.length:
        return []
    taken = values[-rule.length :]
    del values[-rule.length :]
    if not rule.inlined:
        return [taken[index] for index in rule.kept]
    children: list[Any] = []
    for index in rule.kept:
        if index in rule.inlined:
            children.extend(taken[index].children)
        else:
            children.append(taken[index])
    return children


@cache
def _tables() -> _Tables:
    read = orjson.loads(resources.files(__package__).joinpath(TABLES).read_bytes())
    actions, gotos = [], []
    for shift, goto, *reduces in read["states"]:
        row: dict[str, int] = read["shifts"][shift]
        if reduces:
            row = row.copy()
            for rule, kinds in zip(reduces[::2], reduces[1::2], strict=True):
                row |= dict.fromkeys(read["lookaheads"][kinds], ~rule)
        actions.append(row)
        gotos.append(read["gotos"][goto])
    return _Tables([_Rule(*rule) for rule in read["rules"]], actions, gotos, read["end"])
