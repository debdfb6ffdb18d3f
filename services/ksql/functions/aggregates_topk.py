"""TOPK and TOPKDISTINCT: the greatest values, greatest first; TOPK also with further columns of their rows."""

from __future__ import annotations

from bisect import insort_right
from typing import Any

from services.ksql.functions.aggregate import BaseAggregator, Call, aggregate
from services.ksql.functions.signature import Match
from services.ksql.model.types import SqlType, array_of, struct_of

_ORDERED = ("INTEGER", "BIGINT", "DOUBLE", "STRING", "DATE", "TIME", "TIMESTAMP", "BYTES")


class _Descending:
    """A sort key that turns the order round, for values that cannot be negated."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Descending) -> bool:
        return bool(self.value > other.value)


class _Top(BaseAggregator):
    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._count = call.literals[-1] if call.literals else 1

    def initial(self) -> list[Any]:
        return []

    def result(self, state: list[Any]) -> list[Any]:
        return list(state)

    def encode(self, state: list[Any]) -> Any:
        return [v.hex() if isinstance(v, bytes) else v for v in state]

    def decode(self, state: Any) -> list[Any]:
        return [bytes.fromhex(v) if self.call.types[0].base == "BYTES" else v for v in state]


@aggregate("TOPK", *(f"{t} | INTEGER -> ARRAY<{t}>" for t in _ORDERED))
class TopK(_Top):
    """The k greatest values."""

    def add(self, state: list[Any], value: Any) -> list[Any]:
        if value is not None:
            insort_right(state, value, key=_Descending)
            del state[self._count :]
        return state

    def merge(self, older: list[Any], newer: list[Any]) -> list[Any]:
        return sorted(older + newer, reverse=True)[: self._count]


@aggregate("TOPKDISTINCT", *(f"{t} | INTEGER -> ARRAY<{t}>" for t in _ORDERED))
class TopKDistinct(_Top):
    """The k greatest different values."""

    def add(self, state: list[Any], value: Any) -> list[Any]:
        if value is not None and value not in state:
            insort_right(state, value, key=_Descending)
            del state[self._count :]
        return state

    def merge(self, older: list[Any], newer: list[Any]) -> list[Any]:
        return sorted(set(older) | set(newer), reverse=True)[: self._count]


def _rows(match: Match) -> SqlType:
    first, *others = match.parameters
    columns: list[tuple[str, SqlType]] = [("sort_col", first), *((f"col{i}", t) for i, t in enumerate(others))]
    return array_of(struct_of(*columns))


@aggregate(
    "TOPK",
    *(f"{t}, {u} | INTEGER -> {t}" for t in _ORDERED for u in ("BOOLEAN", *_ORDERED)),
    *(f"{t}, {u}, {v} | INTEGER -> {t}" for t in _ORDERED[:4] for u in _ORDERED[:4] for v in _ORDERED[:4]),
    returns=_rows,
)
class TopRows(_Top):
    """The k rows with the greatest first column."""

    def add(self, state: list[Any], *values: Any) -> list[Any]:
        if values[0] is not None:
            row = {"sort_col": values[0], **{f"col{i}": v for i, v in enumerate(values[1:])}}
            insort_right(state, row, key=lambda r: _Descending(r["sort_col"]))
            del state[self._count :]
        return state

    def merge(self, older: list[Any], newer: list[Any]) -> list[Any]:
        return sorted(older + newer, key=lambda r: _Descending(r["sort_col"]))[: self._count]

    def encode(self, state: list[Any]) -> Any:
        return [{k: v.hex() if isinstance(v, bytes) else v for k, v in row.items()} for row in state]

    def decode(self, state: Any) -> list[Any]:
        kinds = dict(zip(("sort_col", *(f"col{i}" for i in range(9))), self.call.types, strict=False))
        return [
            {k: bytes.fromhex(v) if kinds[k].base == "BYTES" and v is not None else v for k, v in row.items()}
            for row in state
        ]
