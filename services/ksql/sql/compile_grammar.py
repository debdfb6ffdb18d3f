"""Makes ``grammar.json`` of ``grammar.lark``: ``make grammar``, after every change of the grammar."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from lark import Lark
from lark.grammar import Rule, Terminal
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import Shift

from services.ksql.sql.lalr import TABLES


def compiled() -> str:
    """The tables as JSON, a line for each rule, each state and each distinct part of a state.

    Raises:
        lark.exceptions.GrammarError: the grammar is not LALR(1), with the rules at fault.
    """
    grammar = resources.files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    made = Lark(grammar, parser="lalr", lexer=_NoLexer, maybe_placeholders=False)
    table: Any = made.parser.parser._parse_table  # lark has no other way to them
    rules = sorted(made.rules, key=lambda rule: (rule.origin.name, [symbol.name for symbol in rule.expansion]))
    number = {rule: index for index, rule in enumerate(rules)}
    (start,), (end,) = table.start_states.values(), table.end_states.values()
    lookaheads, shifts, gotos = _Distinct(), _Distinct(), _Distinct()
    order = _reached(table.states, start)
    states: list[list[int]] = []
    for state in order:
        to: dict[bool, dict[str, int]] = {True: {}, False: {}}
        reduced: dict[int, list[str]] = defaultdict(list)
        for symbol, (action, argument) in sorted(table.states[state].items()):
            if action is Shift:
                to[symbol.isupper()][symbol] = order[argument]
            else:
                reduced[number[argument]].append(symbol)
        row = [shifts.place(to[True]), gotos.place(to[False])]
        for rule, symbols in reduced.items():
            row += [rule, lookaheads.place(symbols)]
        states.append(row)
    parts = {
        "rules": [_rule(rule) for rule in rules],
        "lookaheads": lookaheads.values,
        "shifts": shifts.values,
        "gotos": gotos.values,
        "states": states,
    }
    text = ",\n".join(f'"{name}": {_lines(values)}' for name, values in parts.items())
    return f'{{\n{text},\n"end": {order[end]}\n}}\n'


def _reached(states: Any, start: int) -> dict[int, int]:
    """All states by the order in which they are reached from the first: lark's own numbers change from run to run."""
    order = {start: 0}
    waiting = deque([start])
    while waiting:
        for _, (action, argument) in sorted(states[waiting.popleft()].items()):
            if action is Shift and argument not in order:
                order[argument] = len(order)
                waiting.append(argument)
    return order


class _Distinct:
    """Values without repetition, by their places."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self.values: list[Any] = []

    def place(self, value: Any) -> int:
        text = json.dumps(value)
        if text not in self._places:
            self._places[text] = len(self.values)
            self.values.append(value)
        return self._places[text]


def _rule(rule: Rule) -> list[Any]:
    """A ``_Rule`` of ``lalr``: what lark's own builder of trees would do for the rule, as data."""
    every, symbols = rule.options.keep_all_tokens, rule.expansion
    kept = [i for i, symbol in enumerate(symbols) if every or not (isinstance(symbol, Terminal) and symbol.filter_out)]
    inlined = [i for i in kept if not symbols[i].is_term and symbols[i].name.startswith("_")]
    name = rule.alias or rule.options.template_source or rule.origin.name
    return [rule.origin.name, name, len(symbols), kept, inlined, bool(rule.options.expand1 and not rule.alias)]


def _lines(values: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(value, separators=(",", ":")) for value in values) + "\n]"


class _NoLexer(Lexer):
    """Takes the place of a lexer of lark: tokens are those of ``tokens``."""

    def __init__(self, _conf: Any) -> None:
        pass

    def lex(self, _lexer_state: Any, _parser_state: Any) -> Iterator[Any]:
        return iter(())


if __name__ == "__main__":
    Path(__file__).with_name(TABLES).write_text(compiled(), encoding="utf-8")
