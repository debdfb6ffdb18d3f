"""The aggregate calls of one GROUP BY: their states with code made for them, and many rows aggregated at once.

Many rows are grouped by key in columns, folded, and the fold is merged into each window. Only for aggregates whose
result does not depend on the order of the rows, so that it cannot depend on how the input was cut into batches either: not for sums of
doubles, and not for the first or the last of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from services.ksql.engine.column_batch import Column, compile_columns, is_whole
from services.ksql.engine.expressions import compile_row
from services.ksql.engine.operators.base import Context, Key, Node, Row
from services.ksql.engine.state import pack, unpack
from services.ksql.functions.aggregates import Average, Count, CountDistinct, Max, Min, Sum
from services.ksql.functions.definitions import Aggregator
from services.ksql.model.plan import AggregateStep
from services.ksql.model.types import DOUBLE
from shared.lazy_numpy import np


class Groups(NamedTuple):
    """``keys`` are the different keys, ``numbers`` says for each row which of them is its own."""

    keys: list[Key]
    numbers: Column


def grouped(columns: Sequence[Column]) -> Groups:
    """The groups of rows that agree in all of these columns, numbered by their first row."""
    lists = [column.tolist() for column in columns]
    values: list[Any] = lists[0] if len(lists) == 1 else list(zip(*lists, strict=True))
    index = {value: number for number, value in enumerate(dict.fromkeys(values))}
    numbers = np.fromiter(map(index.__getitem__, values), dtype=np.int64, count=len(values))
    return Groups([(value,) for value in index] if len(lists) == 1 else list(index), numbers)


def group_rows(places: Column) -> Iterator[tuple[int, Column]]:
    """For each number among ``places`` the rows that have it, in order; the numbers in the order of their first rows."""
    order = np.argsort(places, kind="stable")
    cuts = np.flatnonzero(np.diff(places[order])) + 1
    for rows in sorted(np.split(order, cuts), key=itemgetter(0)):
        yield int(places[rows[0]]), rows


#: the state of a whole column of values
Fold = Callable[[Column], Any]


def _fold(part: Aggregator) -> Fold | None:
    """None where the result may depend on the order of the rows."""
    match part:
        case Sum() | Average() if part.call.types[0] != DOUBLE:
            return _total(part)
        case Count():
            return _count
        case CountDistinct():
            return part.of
        case Max() | Min():
            return _extreme(part)
    return None


def _count(column: Column) -> int:
    return len(column) if is_whole(column) else len(column) - column.tolist().count(None)


def _extreme(part: Max | Min) -> Fold:
    best: Callable[[Any], Any] = max if isinstance(part, Max) else min

    def extreme(column: Column) -> Any:
        if is_whole(column):
            return int(column.max() if best is max else column.min())
        present = [value for value in column.tolist() if value is not None]
        return best(present) if present else None

    return extreme


def _total(part: Sum | Average) -> Fold:
    """Whole numbers wrap round, so it does not matter that the array's sum does."""

    def total(column: Column) -> Any:
        if is_whole(column):
            return part.of(int(column.sum()), len(column))
        present = [value for value in column.tolist() if value is not None]
        return part.of(sum(present), len(present))

    return total


class BatchAggregation:
    """``fold`` gives the states of some rows together; ``merge`` brings them into a state that is there already.

    States are lists as in ``Aggregates``; a fold may be merged into several of them and stays as it is.
    """

    def __init__(self, parts: Sequence[Aggregator], folds: Sequence[tuple[Fold | None, int]]) -> None:
        #: for each aggregate its fold, None for COUNT(*), and the place of its argument
        self._folds = folds
        self._merges = [part.merge for part in parts]

    @classmethod
    def of(cls, parts: Sequence[Aggregator], counts: Sequence[int]) -> BatchAggregation | None:
        """Of aggregates with these ``counts`` of arguments. None where the order of the rows may matter."""
        folds = []
        at = 0
        for part, count in zip(parts, counts, strict=True):
            fold = _fold(part)
            if fold is None or count > 1:
                return None
            folds.append((fold if count else None, at))
            at += count
        return cls(parts, folds)

    def fold(self, count: int, columns: Sequence[Column]) -> list[Any]:
        """Of the values of ``count`` rows, at least one, by column."""
        return [count if fold is None else fold(columns[at]) for fold, at in self._folds]

    def merge(self, state: list[Any], folded: list[Any]) -> None:
        for index, merge in enumerate(self._merges):
            state[index + 1] = merge(state[index + 1], folded[index])


#: The state of one group (in one window): its time, then one state for each aggregate.
State = list[Any]


class Aggregates:
    """The aggregates of one step as a whole. ``update`` and ``finish`` are code made for them."""

    def __init__(self, context: Context, step: AggregateStep, source: Node) -> None:
        self.parts: list[Aggregator] = [
            call.function.create(call.literals, context.properties) for call in step.aggregates
        ]
        self._arguments = [call.arguments for call in step.aggregates]
        self._counts = [len(arguments) for arguments in self._arguments]
        flat = [argument for arguments in self._arguments for argument in arguments]
        self.values = compile_row(flat, source.layout)
        self.value_columns = compile_columns(flat, source.layout)
        self.update = self._method("add")
        self.undo = self._method("undo")
        self.finish = self._finisher()
        #: for many rows at once; None where their order matters
        self.bulk = BatchAggregation.of(self.parts, self._counts)

    def _method(self, method: str) -> Callable[[State, Row], None]:
        """``update(s, v)``: brings the values of one row into a state, the commonest aggregates without a call."""
        scope: dict[str, Any] = {}
        lines = ["def update(s, v):"]
        at = 0
        for index, (part, count) in enumerate(zip(self.parts, self._counts, strict=True), 1):
            values = [f"v[{at + i}]" for i in range(count)]
            at += count
            scope[f"f{index}"] = getattr(part, method)
            slot = f"s[{index}]"
            if method == "add" and type(part) is Count:
                lines.append(f" {slot} += 1" if not values else f" if {values[0]} is not None: {slot} += 1")
            elif method == "add" and type(part) is Max:
                lines.append(
                    f" if {slot} is None or ({values[0]} is not None and {values[0]} > {slot}): {slot} = {values[0]}"
                )
            elif method == "add" and type(part) is CountDistinct and part.mask:
                lines.append(f" if {values[0]} is not None: {slot}.add({values[0]} & {part.mask})")
            else:
                lines.append(f" {slot} = f{index}({', '.join([slot, *values])})")
        exec("\n".join([*lines, " return None"]), scope)  # noqa: S102 - positions only
        update: Callable[[State, Row], None] = scope["update"]
        return update

    def _finisher(self) -> Callable[[Key, State], Row]:
        scope: dict[str, Any] = {}
        texts = []
        for index, part in enumerate(self.parts, 1):
            scope[f"f{index}"] = part.result
            plain = isinstance(part, Count | Max)
            texts.append(f"s[{index}], " if plain else f"f{index}(s[{index}]), ")
        exec(f"def finish(k, s): return k + ({''.join(texts)})", scope)  # noqa: S102 - positions only
        finish: Callable[[Key, State], Row] = scope["finish"]
        return finish

    def initial(self, t: int) -> State:
        return [t, *(part.initial() for part in self.parts)]

    def merge(self, older: State, newer: State) -> State:
        """The state of two sessions together."""
        merged = [part.merge(a, b) for part, a, b in zip(self.parts, older[1:], newer[1:], strict=True)]
        return [max(older[0], newer[0]), *merged]

    def pack(self, state: State) -> Any:
        return [state[0], *(pack(part.encode(s)) for part, s in zip(self.parts, state[1:], strict=True))]

    def unpack(self, packed: Any) -> State:
        return [packed[0], *(part.decode(unpack(s)) for part, s in zip(self.parts, packed[1:], strict=True))]
