"""Rows of one batch that fall into one session."""

from __future__ import annotations

from typing import Any

from services.ksql.engine.operators.base import Key, Row


class SessionRun:
    """Rows that belong to one session, from its end ``first_end`` to its end ``end``."""

    __slots__ = ("count", "end", "first_end", "folded", "key", "partition", "start", "values")

    def __init__(self, key: Key, partition: int, start: int, end: int) -> None:
        self.key = key
        self.partition = partition
        self.start = start
        self.first_end = self.end = end
        self.values: list[Row] = []
        self.count = 0
        #: their states together
        self.folded: list[Any] | None = None
