"""Joining names the way ksqlDB's messages do."""

from __future__ import annotations

from collections.abc import Sequence

from services.ksql.sql.ast import Location


def join_words(words: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def at(location: Location) -> str:
    """The prefix ``Line: 1, Col: 8: `` of a message, or nothing for an unknown place."""
    return f"Line: {location.line}, Col: {location.column}: " if location.line else ""
