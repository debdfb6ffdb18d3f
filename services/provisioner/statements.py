"""The canonical form of a KSQL statement, in which ours and ksqlDB's own rendering of it can be compared.

ksqlDB answers a statement back rewritten: names in upper case and qualified, types and units under other words, aliases without AS,
brackets everywhere, properties added to WITH. ``canonical`` undoes that on both sides. Brackets are dropped, so a change that moves
nothing but brackets goes unseen: none of the pipeline's statements has an expression where that would matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from services.provisioner.errors import BrokenResource
from shared.ksql_lexer import SKIPPED, UNRECOGNIZED, lexemes, unquote_identifier, unquote_string

#: words that ksqlDB writes otherwise than people do
_SYNONYMS = {"VARCHAR": "STRING", "INT": "INTEGER"}
_UNITS = {"DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND"}
_DROPPED = {"AS", "INNER", "(", ")", ";"}


@dataclass(frozen=True, slots=True)
class Canonical:
    """``kind`` stream or table, its name, the WITH properties, and the rest of the statement as tokens."""

    kind: Literal["stream", "table"]
    name: str
    properties: dict[str, str]
    body: tuple[str, ...]

    @property
    def topic(self) -> str:
        return self.properties.get("KAFKA_TOPIC", self.name)

    @property
    def is_query(self) -> bool:
        """CREATE ... AS SELECT, which starts a persistent query."""
        return "SELECT" in self.body

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the streams and tables that the query reads."""
        return tuple(self.body[position + 1] for position, token in enumerate(self.body) if token in ("FROM", "JOIN"))


def canonical(statement: str) -> Canonical:
    """Reads a CREATE STREAM or CREATE TABLE.

    Raises:
        BrokenResource: it is something else.
    """
    tokens = _tokens(statement)
    words = [token for token in tokens if token not in ("OR", "REPLACE", "IF", "NOT", "EXISTS")][:3]
    if len(words) < 3 or words[0] != "CREATE" or words[1] not in ("STREAM", "TABLE"):
        raise BrokenResource(f"neither CREATE STREAM nor CREATE TABLE: {statement[:60]!r}")
    tokens = tokens[tokens.index(words[2]) + 1 :]
    properties, rest = _split_with(tokens)
    return Canonical("stream" if words[1] == "STREAM" else "table", words[2], properties, _body(rest))


def describe_difference(desired: Canonical, actual: Canonical) -> tuple[tuple[str, str | None, str | None], ...]:
    """Field, desired, actual for all that differs; properties that only ksqlDB adds do not count."""
    found: list[tuple[str, str | None, str | None]] = []
    if (desired.kind, desired.name) != (actual.kind, actual.name):
        found.append(("kind", f"{desired.kind} {desired.name}", f"{actual.kind} {actual.name}"))
    for key, want in desired.properties.items():
        if (have := actual.properties.get(key)) != want:
            found.append((f"WITH {key}", want, have))
    if desired.body != actual.body:
        start = next(
            (i for i, pair in enumerate(zip(desired.body, actual.body, strict=False)) if pair[0] != pair[1]),
            min(len(desired.body), len(actual.body)),
        )
        near = slice(max(0, start - 3), start + 8)
        found.append(("statement", " ".join(desired.body[near]), " ".join(actual.body[near])))
    return tuple(found)


def _tokens(statement: str) -> list[str]:
    """Without comments; unquoted names in upper case; quoted names in back-ticks only where they need them."""
    tokens: list[str] = []
    for kind, text, position in lexemes(statement):
        if kind == SKIPPED:
            continue
        if kind == UNRECOGNIZED:
            raise BrokenResource(f"not KSQL: {statement[position : position + 20]!r}")
        if kind == "IDENT":
            tokens.append(_SYNONYMS.get(text.upper(), text.upper()))
        elif kind == "QUOTED":
            name = unquote_identifier(text)
            tokens.append(name if re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) else f"`{name}`")
        else:
            tokens.append(text)
    return tokens


def _split_with(tokens: list[str]) -> tuple[dict[str, str], list[str]]:
    """The properties of the WITH clause, and the tokens without it."""
    if "WITH" not in tokens:
        return {}, tokens
    start = tokens.index("WITH")
    end = tokens.index(")", start)
    inside = tokens[start + 2 : end]
    properties: dict[str, str] = {}
    for position, sign in enumerate(inside):
        if sign == "=":
            properties[inside[position - 1]] = _value(inside[position + 1])
    return properties, tokens[:start] + tokens[end + 1 :]


def _value(token: str) -> str:
    return unquote_string(token) if token.startswith("'") else token


def _body(tokens: list[str]) -> tuple[str, ...]:
    joined = "JOIN" in tokens
    kept: list[str] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        following = tokens[position + 1] if position + 1 < len(tokens) else ""
        qualified = following == "." and not joined
        position += 2 if qualified else 1
        if qualified or token in _DROPPED:
            continue
        if token.endswith("S") and token[:-1] in _UNITS and kept and kept[-1].isdigit():
            token = token[:-1]
        # "SOURCE SOURCE" is a column or source under its own name.
        if kept and kept[-1] == token and re.match(r"[A-Z_`]", token):
            continue
        kept.append(token)
    return tuple(kept)
