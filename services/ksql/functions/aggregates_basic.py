"""COUNT, COUNT_DISTINCT, SUM, AVG, MIN, MAX and STDDEV_SAMP."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from pyroaring import BitMap, BitMap64

from services.ksql.functions.aggregate import BaseAggregator, Call, aggregate
from services.ksql.functions.numbers import wrap_int, wrap_long
from services.ksql.model.types import BIGINT, BYTES, INTEGER, SqlType

_ORDERED = ("INTEGER", "BIGINT", "DOUBLE", "STRING", "DATE", "TIME", "TIMESTAMP", "BYTES")

#: numbers of a set that are shorter as a list than as a bitmap
_FEW = 8


@aggregate("COUNT", "-> BIGINT", "T -> BIGINT")
class Count(BaseAggregator):
    """Counts rows; with a column, those in which it is not NULL."""

    supports_table = True
    is_complex = False

    def initial(self) -> int:
        return 0

    def add(self, state: int, *values: Any) -> int:
        return state if values and values[0] is None else state + 1

    def undo(self, state: int, *values: Any) -> int:
        return state if values and values[0] is None else state - 1

    def merge(self, older: int, newer: int) -> int:
        return older + newer


@aggregate("COUNT_DISTINCT", "T -> BIGINT")
class CountDistinct(BaseAggregator):
    """Counts the different values that are not NULL. Exact, where ksqlDB itself estimates."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._type = call.types[0]
        self.mask = {INTEGER: 0xFFFF_FFFF, BIGINT: 0xFFFF_FFFF_FFFF_FFFF}.get(self._type, 0)
        self._bitmap = BitMap if self._type == INTEGER else BitMap64

    def initial(self) -> Any:
        return self._bitmap() if self.mask else set()

    def add(self, state: Any, value: Any) -> Any:  # type: ignore[override, unused-ignore]
        if value is not None:
            state.add(value & self.mask if self.mask else value)
        return state

    def of(self, values: Any) -> Any:
        """The state of all these values, at one go: a sequence, or an array of whole numbers or objects."""
        if isinstance(values, np.ndarray):
            if self._type == INTEGER and values.dtype == np.int64:
                numbers = array("I")
                numbers.frombytes(values.astype(np.uint32).tobytes())
                return BitMap(numbers)
            values = values.tolist()
        if not self.mask:
            return {value for value in values if value is not None}
        try:
            return self._bitmap(values)
        except (TypeError, OverflowError):  # NULLs or negative numbers
            return self._bitmap([value & self.mask for value in values if value is not None])

    def merge(self, older: Any, newer: Any) -> Any:
        older |= newer
        return older

    def result(self, state: Any) -> int:
        return len(state)

    def added(self, state: Any, before: Any) -> Any:
        """What ``state`` has beyond the set ``before``; None if it is not the same set grown."""
        new = state - before
        return new if len(new) == len(state) - len(before) else None

    def encode(self, state: Any) -> Any:
        if self.mask and len(state) > _FEW:
            return base64.b64encode(state.serialize()).decode()
        return [v.hex() for v in state] if self._type == BYTES else list(state)

    def decode(self, state: Any) -> Any:
        if self.mask:
            return (
                self._bitmap(state)
                if isinstance(state, list | tuple)
                else self._bitmap.deserialize(base64.b64decode(state))
            )
        return {bytes.fromhex(v) for v in state} if self._type == BYTES else set(state)


def _wrap(kind: SqlType) -> Callable[[Any], Any]:
    return {INTEGER: wrap_int, BIGINT: wrap_long}.get(kind, float)


@aggregate("SUM", "INTEGER -> INTEGER", "BIGINT -> BIGINT", "DOUBLE -> DOUBLE")
class Sum(BaseAggregator):
    """The sum of the values that are not NULL; 0 where there are none. Whole numbers wrap round."""

    supports_table = True
    is_complex = False

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._wrap = _wrap(call.types[0])

    def initial(self) -> Any:
        return self._wrap(0)

    def add(self, state: Any, value: Any) -> Any:
        return state if value is None else self._wrap(state + value)

    def undo(self, state: Any, value: Any) -> Any:
        return state if value is None else self._wrap(state - value)

    def merge(self, older: Any, newer: Any) -> Any:
        return self._wrap(older + newer)

    def of(self, total: Any, count: int) -> Any:
        """The state of ``count`` values that add up to ``total``."""
        return self._wrap(total)


@aggregate("AVG", "INTEGER -> DOUBLE", "BIGINT -> DOUBLE", "DOUBLE -> DOUBLE")
class Average(BaseAggregator):
    """The mean of the values that are not NULL; 0.0 where there are none."""

    supports_table = True

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._wrap = _wrap(call.types[0])

    def initial(self) -> Any:
        return (self._wrap(0), 0)

    def add(self, state: Any, value: Any) -> Any:
        return state if value is None else (self._wrap(state[0] + value), state[1] + 1)

    def undo(self, state: Any, value: Any) -> Any:
        return state if value is None else (self._wrap(state[0] - value), state[1] - 1)

    def merge(self, older: Any, newer: Any) -> Any:
        return (self._wrap(older[0] + newer[0]), older[1] + newer[1])

    def of(self, total: Any, count: int) -> Any:
        """The state of ``count`` values that add up to ``total``."""
        return (self._wrap(total), count)

    def result(self, state: Any) -> float:
        return state[0] / state[1] if state[1] else 0.0

    def decode(self, state: Any) -> Any:
        return tuple(state)


class _Extreme(BaseAggregator):
    is_complex = False

    def initial(self) -> Any:
        return None

    def encode(self, state: Any) -> Any:
        return state.hex() if isinstance(state, bytes) else state

    def decode(self, state: Any) -> Any:
        return bytes.fromhex(state) if self.call.types[0] == BYTES and state is not None else state


@aggregate("MIN", *(f"{t} -> {t}" for t in _ORDERED))
class Min(_Extreme):
    """The least value that is not NULL."""

    def add(self, state: Any, value: Any) -> Any:
        return value if state is None or (value is not None and value < state) else state

    def merge(self, older: Any, newer: Any) -> Any:
        return self.add(older, newer)


@aggregate("MAX", *(f"{t} -> {t}" for t in _ORDERED))
class Max(_Extreme):
    """The greatest value that is not NULL."""

    def add(self, state: Any, value: Any) -> Any:
        return value if state is None or (value is not None and value > state) else state

    def merge(self, older: Any, newer: Any) -> Any:
        return self.add(older, newer)


@aggregate("STDDEV_SAMP", "INTEGER -> DOUBLE", "BIGINT -> DOUBLE", "DOUBLE -> DOUBLE")
class SampleDeviation(BaseAggregator):
    """The sample standard deviation of the values that are not NULL."""

    supports_table = True

    def initial(self) -> Any:
        return (0, 0.0, 0.0)

    def add(self, state: Any, value: Any) -> Any:
        return state if value is None else (state[0] + 1, state[1] + value, state[2] + value * value)

    def undo(self, state: Any, value: Any) -> Any:
        return state if value is None else (state[0] - 1, state[1] - value, state[2] - value * value)

    def merge(self, older: Any, newer: Any) -> Any:
        return tuple(a + b for a, b in zip(older, newer, strict=True))

    def result(self, state: Any) -> float:
        count, total, squares = state
        if count < 2:
            return 0.0
        return float(max(0.0, (squares - total * total / count) / (count - 1)) ** 0.5)

    def decode(self, state: Any) -> Any:
        return tuple(state)
