"""Brings many rows into a state at once: they are summed up first, and the sum is merged into each window that they are in.

Only for aggregates whose result does not depend on the order of the rows, so that it cannot depend on how the input was
cut into batches either: not for sums of doubles, and not for the first or the last of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.ksql.functions.aggregate import Aggregator, BaseAggregator
from services.ksql.functions.aggregates_basic import Average, Count, CountDistinct, Max, Min, Sum
from services.ksql.model.types import DOUBLE

Fold = Callable[[Sequence[Any]], Any]


def _orderless(part: Aggregator) -> bool:
    if isinstance(part, Sum | Average):
        return part.call.types[0] != DOUBLE
    return isinstance(part, Count | CountDistinct | Max | Min)


def _count(column: Sequence[Any]) -> int:
    return len(column) - column.count(None)


def _fold(part: Aggregator) -> Fold:
    """The state of a whole column of values."""
    if isinstance(part, Count):
        return _count
    if isinstance(part, Max | Min):
        best: Callable[[Any], Any] = max if isinstance(part, Max) else min

        def extreme(column: Sequence[Any]) -> Any:
            try:
                return best(column)
            except TypeError:  # there are NULLs among them
                return best([v for v in column if v is not None]) if any(v is not None for v in column) else None

        return extreme
    if isinstance(part, CountDistinct):
        return part.of

    def one_by_one(column: Sequence[Any]) -> Any:
        state = part.initial()
        for value in column:
            state = part.add(state, value)
        return state

    return one_by_one


class Bulk:
    """``fold`` gives the states of some rows together; ``merge`` brings them into a state that is there already.

    States are lists as in ``Aggregates``; a fold may be merged into several of them and stays as it is.
    """

    def __init__(self, parts: Sequence[Aggregator], counts: Sequence[int]) -> None:
        self._folds: list[tuple[Fold | None, int]] = []
        at = 0
        for part, count in zip(parts, counts, strict=True):
            self._folds.append((_fold(part), at) if count else (None, at))
            at += count
        self._merges = [part.merge for part in parts]

    @classmethod
    def of(cls, parts: Sequence[Aggregator], counts: Sequence[int]) -> Bulk | None:
        """None where the order of the rows may matter."""
        fits = all(isinstance(part, BaseAggregator) and _orderless(part) for part in parts)
        return cls(parts, counts) if fits and max(counts, default=0) <= 1 else None

    def fold(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Of the values of some rows, at least one."""
        columns = list(zip(*rows, strict=True))
        return [len(rows) if fold is None else fold(columns[at]) for fold, at in self._folds]

    def merge(self, state: list[Any], folded: list[Any]) -> None:
        for index, merge in enumerate(self._merges):
            state[index + 1] = merge(state[index + 1], folded[index])
