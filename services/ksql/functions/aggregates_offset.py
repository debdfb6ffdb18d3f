"""EARLIEST_BY_OFFSET and LATEST_BY_OFFSET: the first or last values by order of arrival.

A value is kept with the number of its arrival, so that merged sessions know which came first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from services.ksql.errors import FunctionError
from services.ksql.functions.aggregate import BaseAggregator, Call, aggregate
from services.ksql.model.types import BYTES

_ONE = ("T -> T", "T | BOOLEAN -> T")
_SEVERAL = ("T | INTEGER -> ARRAY<T>", "T | INTEGER, BOOLEAN -> ARRAY<T>")


class _ByOffset(BaseAggregator):
    latest: ClassVar[bool]

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        flags = [v for v in call.literals if isinstance(v, bool)]
        counts = [v for v in call.literals if not isinstance(v, bool)]
        self._ignore_nulls = flags[0] if flags else True
        self._several = bool(counts)
        self._count = counts[0] if counts else 1
        self._arrivals = 0

    @classmethod
    def check(cls, literals: Sequence[Any]) -> None:
        if any(not isinstance(v, bool) and v < 1 for v in literals):
            raise FunctionError(f"{'latest' if cls.latest else 'earliest'}N must be 1 or greater")

    def initial(self) -> list[tuple[int, Any]]:
        return []

    def add(self, state: list[tuple[int, Any]], value: Any) -> list[tuple[int, Any]]:
        if value is None and self._ignore_nulls:
            return state
        self._arrivals += 1
        if self.latest:
            state.append((self._arrivals, value))
            if len(state) > self._count:
                del state[0]
        elif len(state) < self._count:
            state.append((self._arrivals, value))
        return state

    def merge(self, older: list[tuple[int, Any]], newer: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        both = sorted(older + newer, key=lambda entry: entry[0])
        return both[-self._count :] if self.latest else both[: self._count]

    def result(self, state: list[tuple[int, Any]]) -> Any:
        if self._several:
            return [value for _, value in state]
        return state[0][1] if state else None

    def encode(self, state: list[tuple[int, Any]]) -> Any:
        return [(number, value.hex() if isinstance(value, bytes) else value) for number, value in state]

    def decode(self, state: Any) -> list[tuple[int, Any]]:
        is_bytes = self.call.types[0] == BYTES
        entries = [(n, bytes.fromhex(v) if is_bytes and v is not None else v) for n, v in state]
        self._arrivals = max([self._arrivals, *(number for number, _ in entries)])
        return entries


@aggregate("EARLIEST_BY_OFFSET", *_ONE, *_SEVERAL)
class EarliestByOffset(_ByOffset):
    """The first value, or the first N; NULL counts only if told so (last parameter false)."""

    latest = False


@aggregate("LATEST_BY_OFFSET", *_ONE, *_SEVERAL)
class LatestByOffset(_ByOffset):
    """The last value, or the last N; NULL counts only if told so (last parameter false)."""

    latest = True
