"""The aggregate functions: COUNT, SUM, AVG, MIN, MAX, STDDEV_*, CORRELATION; COLLECT_*, HISTOGRAM, ATTR; *_BY_OFFSET; TOPK and
TOPKDISTINCT.

*_BY_OFFSET keep a value with the number of its arrival, so that merged sessions know which came first.
"""

from __future__ import annotations

import base64
import math
from array import array
from bisect import insort_right
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pyroaring import BitMap, BitMap64

from services.ksql.errors import FunctionError
from services.ksql.functions.definitions import AggregateArguments, BaseAggregator, Match, aggregate
from services.ksql.functions.numbers import divide_double, to_decimal, wrap_int, wrap_long
from services.ksql.model.types import BIGINT, BYTES, INTEGER, BaseType, SqlType, array_of, in_key, struct_of
from shared.lazy_numpy import np

_ORDERED = ("INTEGER", "BIGINT", "DOUBLE", "DECIMAL", "STRING", "DATE", "TIME", "TIMESTAMP", "BYTES")

_NUMBERS = ("INTEGER -> DOUBLE", "BIGINT -> DOUBLE", "DOUBLE -> DOUBLE")

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

    def __init__(self, call: AggregateArguments) -> None:
        super().__init__(call)
        self._type = call.types[0]
        self.mask = {INTEGER: 0xFFFF_FFFF, BIGINT: 0xFFFF_FFFF_FFFF_FFFF}.get(self._type, 0)
        self._bitmap = BitMap if self._type == INTEGER else BitMap64

    def initial(self) -> Any:
        return self._bitmap() if self.mask else set()

    def add(self, state: Any, value: Any) -> Any:  # type: ignore[override, unused-ignore]
        if value is not None:
            state.add(value & self.mask if self.mask else in_key(value))
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
    if kind.base is BaseType.DECIMAL:
        return lambda value: to_decimal(value, kind.precision, kind.scale)
    return {INTEGER: wrap_int, BIGINT: wrap_long}.get(kind, float)


@aggregate("SUM", "INTEGER -> INTEGER", "BIGINT -> BIGINT", "DECIMAL -> DECIMAL", "DOUBLE -> DOUBLE")
class Sum(BaseAggregator):
    """The sum of the values that are not NULL; 0 where there are none. Whole numbers wrap round."""

    supports_table = True
    is_complex = False

    def __init__(self, call: AggregateArguments) -> None:
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

    def __init__(self, call: AggregateArguments) -> None:
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


class _Moments(BaseAggregator):
    """Keeps the count, the sum and the sum of the squared distances from the mean of the values that are not NULL.

    The states of earlier versions had the sum of the squares instead: they have three parts, these have a mark as the fourth.
    """

    supports_table = True

    def initial(self) -> Any:
        return (0, 0.0, 0.0)

    @staticmethod
    def _distance(count: int, total: float, value: float) -> float:
        """What ``value`` contributes, where it is among the ``count`` values that add up to ``total``."""
        return float((count * value - total) ** 2 / (count * (count - 1))) if count > 1 else 0.0

    def add(self, state: Any, value: Any) -> Any:
        if value is None:
            return state
        count, total = state[0] + 1, state[1] + value
        return (count, total, state[2] + self._distance(count, total, value))

    def undo(self, state: Any, value: Any) -> Any:
        if value is None:
            return state
        count, total, spread = state
        return (count - 1, total - value, spread - self._distance(count, total, value))

    def merge(self, older: Any, newer: Any) -> Any:
        (n, total, spread), (m, other, more) = older, newer
        if not n or not m:
            return newer if not n else older
        apart = (total / n - other / m) ** 2 * n * m / (n + m)
        return (n + m, total + other, spread + more + apart)

    def variance(self, state: Any) -> float:
        """The sample variance, 0.0 for fewer than two values."""
        count, _, spread = state
        return float(max(0.0, spread / (count - 1))) if count > 1 else 0.0

    def encode(self, state: Any) -> Any:
        return (*state, "distances")

    def decode(self, state: Any) -> Any:
        count, total, spread, *mark = state
        return (count, total, spread if mark or not count else spread - total * total / count)


@aggregate("STDDEV_SAMPLE", *_NUMBERS)
class SampleDeviation(_Moments):
    """The sample standard deviation of the values that are not NULL."""

    def result(self, state: Any) -> float:
        return float(self.variance(state) ** 0.5)


@aggregate("STDDEV_SAMP", *_NUMBERS)
class SampleVariance(_Moments):
    """The square of the sample standard deviation, as ksqlDB gives it under this name; STDDEV_SAMPLE gives the deviation itself."""

    def result(self, state: Any) -> float:
        return self.variance(state)


@aggregate("CORRELATION", "INTEGER, INTEGER -> DOUBLE", "BIGINT, BIGINT -> DOUBLE", "DOUBLE, DOUBLE -> DOUBLE")
class Correlation(BaseAggregator):
    """The Pearson correlation of two columns over the rows where neither is NULL; NaN where there is none."""

    supports_table = True

    def initial(self) -> Any:
        return (0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def _terms(self, values: tuple[Any, ...]) -> tuple[float, ...]:
        x, y = map(float, values)
        return (1, x, y, x * x, y * y, x * y)

    def add(self, state: Any, *values: Any) -> Any:
        if None in values:
            return state
        return tuple(a + b for a, b in zip(state, self._terms(values), strict=True))

    def undo(self, state: Any, *values: Any) -> Any:
        if None in values:
            return state
        return tuple(a - b for a, b in zip(state, self._terms(values), strict=True))

    def merge(self, older: Any, newer: Any) -> Any:
        return tuple(a + b for a, b in zip(older, newer, strict=True))

    def result(self, state: Any) -> float:
        count, x, y, xx, yy, xy = state
        spread = (count * xx - x * x) * (count * yy - y * y)
        return divide_double(count * xy - x * y, math.sqrt(spread)) if spread > 0 else math.nan

    def decode(self, state: Any) -> Any:
        return tuple(state)


class _Counts(BaseAggregator):
    """How often each value came: pairs of value and count, by the value as a key may have it."""

    supports_table = True

    def initial(self) -> dict[Any, int]:
        return {}

    def add(self, state: dict[Any, int], value: Any) -> dict[Any, int]:
        key = in_key(value)
        state[key] = state.get(key, 0) + 1
        return state

    def undo(self, state: dict[Any, int], value: Any) -> dict[Any, int]:
        key = in_key(value)
        if state.get(key, 0) > 1:
            state[key] -= 1
        else:
            state.pop(key, None)
        return state

    def merge(self, older: dict[Any, int], newer: dict[Any, int]) -> dict[Any, int]:
        return {key: older.get(key, 0) + newer.get(key, 0) for key in {**older, **newer}}

    def encode(self, state: dict[Any, int]) -> Any:
        return [[key, count] for key, count in state.items()]

    def decode(self, state: Any) -> dict[Any, int]:
        return {in_key(key): count for key, count in state}


@aggregate("ATTR", "T -> T")
class Attribute(_Counts):
    """The value of all rows where it is one and the same, else NULL."""

    def result(self, state: dict[Any, int]) -> Any:
        return next(iter(state)) if len(state) == 1 else None


@aggregate("HISTOGRAM", "STRING -> MAP<STRING, BIGINT>")
class Histogram(_Counts):
    """How often each text came; of more than 1,000 different ones the first."""

    most = 1_000

    def add(self, state: dict[Any, int], value: Any) -> dict[Any, int]:
        return state if value not in state and len(state) >= self.most else super().add(state, value)

    def result(self, state: dict[Any, int]) -> dict[Any, int]:
        return dict(state)


_UNLIMITED = 2**31 - 1


class _Collect(BaseAggregator):
    setting = ""

    def __init__(self, call: AggregateArguments) -> None:
        super().__init__(call)
        self._limit = int(call.properties.get(self.setting, _UNLIMITED))
        if self._limit < 0:
            self._limit = _UNLIMITED

    def initial(self) -> Any:
        return []

    def result(self, state: Any) -> list[Any]:
        return list(state)

    def encode(self, state: Any) -> Any:
        return [v.hex() if isinstance(v, bytes) else v for v in state]

    def decode(self, state: Any) -> Any:
        kind = self.call.types[0].base.value
        return [bytes.fromhex(v) if kind == "BYTES" and v is not None else v for v in state]


@aggregate("COLLECT_LIST", "T -> ARRAY<T>")
class CollectList(_Collect):
    """All values in the order of arrival."""

    supports_table = True
    setting = "ksql.functions.collect_list.limit"

    def add(self, state: list[Any], value: Any) -> list[Any]:
        if len(state) < self._limit:
            state.append(value)
        return state

    def undo(self, state: list[Any], value: Any) -> list[Any]:
        for index in range(len(state) - 1, -1, -1):
            if state[index] == value:
                del state[index]
                break
        return state

    def merge(self, older: list[Any], newer: list[Any]) -> list[Any]:
        return (older + newer)[: self._limit]


@aggregate("COLLECT_SET", "T -> ARRAY<T>")
class CollectSet(_Collect):
    """The different values in the order of their first arrival."""

    setting = "ksql.functions.collect_set.limit"

    def initial(self) -> Any:
        return {}

    def add(self, state: dict[Any, None], value: Any) -> dict[Any, None]:
        if len(state) < self._limit:
            state[in_key(value)] = None
        return state

    def merge(self, older: dict[Any, None], newer: dict[Any, None]) -> dict[Any, None]:
        return dict.fromkeys(list(older | newer)[: self._limit])

    def decode(self, state: Any) -> Any:
        return dict.fromkeys(super().decode(state))


_ONE = ("T -> T", "T | BOOLEAN -> T")
_SEVERAL = ("T | INTEGER -> ARRAY<T>", "T | INTEGER, BOOLEAN -> ARRAY<T>")


class _ByOffset(BaseAggregator):
    latest: ClassVar[bool]

    def __init__(self, call: AggregateArguments) -> None:
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
    """The first value, or the first N; NULL counts only if the last parameter is false."""

    latest = False


@aggregate("LATEST_BY_OFFSET", *_ONE, *_SEVERAL)
class LatestByOffset(_ByOffset):
    """The last value, or the last N; NULL counts only if the last parameter is false."""

    latest = True


class _Descending:
    """A sort key that turns the order round, for values that cannot be negated."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Descending) -> bool:
        return bool(self.value > other.value)


class _Top(BaseAggregator):
    def __init__(self, call: AggregateArguments) -> None:
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


@aggregate("TOPK", *(f"{t}, _, _... | INTEGER -> {t}" for t in _ORDERED), returns=_rows)
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
        kinds = dict(
            zip(("sort_col", *(f"col{i}" for i in range(len(self.call.types)))), self.call.types, strict=False)
        )
        return [
            {k: bytes.fromhex(v) if kinds[k].base == "BYTES" and v is not None else v for k, v in row.items()}
            for row in state
        ]
