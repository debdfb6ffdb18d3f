"""Groups the rows of columns by key, without a look at each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from services.ksql.engine.columns import Column
from services.ksql.engine.operators.base import Key


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


def heaps(places: Column) -> Iterator[tuple[int, Column]]:
    """For each number among ``places`` the rows that have it, in order; the numbers in the order of their first rows."""
    order = np.argsort(places, kind="stable")
    cuts = np.flatnonzero(np.diff(places[order])) + 1
    for rows in sorted(np.split(order, cuts), key=itemgetter(0)):
        yield int(places[rows[0]]), rows
