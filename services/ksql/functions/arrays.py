"""Functions over arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from services.ksql.functions.definitions import scalar
from services.ksql.functions.numbers import decimal_text, java_double
from services.ksql.model.types import in_key

_KIND = "ARRAY"
#: elements that have an order; every array function over them has a signature for each
_ORDERED = ("BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "STRING", "DECIMAL", "DATE", "TIME", "TIMESTAMP", "BYTES")
#: elements of an array that a function makes longer than it was: more than Kafka takes in a record
_LONGEST = 1_000_000


def _distinct(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(map(in_key, items)))


@scalar("ARRAY_LENGTH", "ARRAY<T> -> INTEGER", category=_KIND)
def array_length(array: list[Any]) -> int:
    """How many elements an array has."""
    return len(array)


@scalar("ARRAY_CONCAT", "ARRAY<T>, ARRAY<T> -> ARRAY<T>", category=_KIND, nulls=True)
def array_concat(left: list[Any] | None, right: list[Any] | None) -> list[Any] | None:
    """The elements of both arrays, duplicates too; of a NULL array none."""
    if left is None and right is None:
        return None
    joined = [*(left or ()), *(right or ())]
    if len(joined) > _LONGEST:
        raise ValueError("ARRAY_CONCAT would give too many elements")
    return joined


@scalar("ARRAY_CONTAINS", "ARRAY<T>, T -> BOOLEAN", category=_KIND, nulls=True)
def array_contains(array: list[Any] | None, element: Any) -> bool:
    """Whether an array has an element; NULL may be one."""
    return array is not None and element in array


@scalar("ARRAY_DISTINCT", "ARRAY<T> -> ARRAY<T>", category=_KIND)
def array_distinct(array: list[Any]) -> list[Any]:
    """The different elements in the order of their first appearance, NULL too."""
    return _distinct(array)


@scalar("ARRAY_EXCEPT", "ARRAY<T>, ARRAY<T> -> ARRAY<T>", category=_KIND)
def array_except(left: list[Any], right: list[Any]) -> list[Any]:
    """The different elements of the first array that the second has not."""
    unwanted = set(map(in_key, right))
    return [item for item in _distinct(left) if item not in unwanted]


@scalar("ARRAY_INTERSECT", "ARRAY<T>, ARRAY<T> -> ARRAY<T>", category=_KIND)
def array_intersect(left: list[Any], right: list[Any]) -> list[Any]:
    """The different elements of the first array that the second has too."""
    wanted = set(map(in_key, right))
    return [item for item in _distinct(left) if item in wanted]


@scalar("ARRAY_UNION", "ARRAY<T>, ARRAY<T> -> ARRAY<T>", category=_KIND)
def array_union(left: list[Any], right: list[Any]) -> list[Any]:
    """The different elements of both arrays in the order of their first appearance."""
    return _distinct((*left, *right))


@scalar("ARRAY_REMOVE", "ARRAY<T>, T -> ARRAY<T>", category=_KIND, nulls=True)
def array_remove(array: list[Any] | None, victim: Any) -> list[Any] | None:
    """The array without all elements equal to a value, which may be NULL."""
    return None if array is None else [item for item in array if item != victim]


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return java_double(value)
        case Decimal():
            return decimal_text(value)
    return str(value)


@scalar(
    "ARRAY_JOIN",
    *(
        f"ARRAY<{t}>{more} -> STRING"
        for t in ("BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL", "STRING")
        for more in ("", ", STRING")
    ),
    category=_KIND,
    nulls=True,
)
def array_join(array: list[Any] | None, delimiter: str | None = ",") -> str | None:
    """The elements as one text, with a delimiter between them."""
    return None if array is None else (delimiter or "").join(map(_text, array))


def _present(array: Sequence[Any]) -> list[Any]:
    return [item for item in array if item is not None]


@scalar("ARRAY_MAX", *(f"ARRAY<{t}> -> {t}" for t in _ORDERED), category=_KIND)
def array_max(array: list[Any]) -> Any:
    """The greatest element that is not NULL."""
    return max(_present(array), default=None)


@scalar("ARRAY_MIN", *(f"ARRAY<{t}> -> {t}" for t in _ORDERED), category=_KIND)
def array_min(array: list[Any]) -> Any:
    """The least element that is not NULL."""
    return min(_present(array), default=None)


@scalar(
    "ARRAY_SORT",
    *(f"ARRAY<{t}>{more} -> ARRAY<{t}>" for t in _ORDERED for more in ("", ", STRING")),
    category=_KIND,
)
def array_sort(array: list[Any], direction: str = "ASC") -> list[Any] | None:
    """The elements in order, or (DESC) in the opposite one; NULLs last."""
    word = direction.strip().upper()
    if word not in ("ASC", "ASCENDING", "DESC", "DESCENDING"):
        return None
    present = sorted(_present(array), reverse=word.startswith("DESC"))
    return [*present, *[None] * (len(array) - len(present))]


@scalar("SLICE", "ARRAY<T>, INTEGER, INTEGER -> ARRAY<T>", category=_KIND, nulls=True)
def array_slice(array: list[Any] | None, start: int | None, end: int | None) -> list[Any] | None:
    """The elements from one place to another, both from 1 and included; NULL means the first and the last."""
    if array is None:
        return None
    first, last = (1 if start is None else start) - 1, len(array) if end is None else end
    if not 0 <= first <= last <= len(array):
        return None
    return array[first:last]


def _series(start: int, end: int, step: int) -> list[int]:
    if step == 0:
        raise ValueError("GENERATE_SERIES step cannot be zero")
    if (end - start) * step < 0:
        raise ValueError(f"GENERATE_SERIES step has wrong sign: {step}")
    if abs(end - start) // abs(step) >= _LONGEST:
        raise ValueError("GENERATE_SERIES would give too many elements")
    return list(range(start, end + (1 if step > 0 else -1), step))


@scalar("GENERATE_SERIES", "INTEGER, INTEGER -> ARRAY<INTEGER>", "BIGINT, BIGINT -> ARRAY<BIGINT>", category=_KIND)
def generate_series(start: int, end: int) -> list[int]:
    """All whole numbers from one to another, both included, upwards or downwards."""
    return _series(start, end, 1 if end >= start else -1)


@scalar(
    "GENERATE_SERIES",
    "INTEGER, INTEGER, INTEGER -> ARRAY<INTEGER>",
    "BIGINT, BIGINT, INTEGER -> ARRAY<BIGINT>",
    category=_KIND,
)
def generate_series_by(start: int, end: int, step: int) -> list[int]:
    """Whole numbers from one to another in steps."""
    return _series(start, end, step)


@scalar("ELT", "INTEGER, STRING... -> STRING", category="STRING", nulls=True)
def elt(pos: int | None, *args: str | None) -> str | None:
    """The argument at a position (from 1) among the others."""
    return args[pos - 1] if pos is not None and 1 <= pos <= len(args) else None
