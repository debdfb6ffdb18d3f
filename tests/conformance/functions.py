"""The functions that the suite's own class path holds beside the built-in ones; its cases use them to test variadic and multi-argument
functions, structs in functions, and functions that fail. What they do is taken from the cases' inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.ksql.engine.evaluation import text_of
from services.ksql.functions.definitions import (
    AGGREGATES,
    SCALARS,
    TABLE_FUNCTIONS,
    BaseAggregator,
    aggregate,
    scalar,
    table_function,
)
from services.ksql.model.types import SqlType


@contextmanager
def suite_functions() -> Iterator[None]:
    """The functions are there inside, and only there."""
    registries: tuple[dict[str, Any], ...] = (SCALARS, AGGREGATES, TABLE_FUNCTIONS)
    before = [dict(registry) for registry in registries]
    _register()
    try:
        yield
    finally:
        for registry, known in zip(registries, before, strict=True):
            registry.clear()
            registry.update(known)


class _Total(BaseAggregator):
    """Adds up numbers, and the lengths of texts."""

    is_complex = False

    def initial(self) -> int:
        return sum(map(_weight, self.call.literals))

    def add(self, state: int, *values: Any) -> int:
        return state + sum(map(_weight, values))

    def merge(self, older: int, newer: int) -> int:
        return older + newer - self.initial()


def _weight(value: Any) -> int:
    return 0 if value is None else len(value) if isinstance(value, str) else int(value)


class _Whole(BaseAggregator):
    """Collects the first value of rows without NULLs."""

    def initial(self) -> list[Any]:
        return []

    def add(self, state: list[Any], *values: Any) -> list[Any]:
        return state if any(value is None for value in values) else [*state, values[0]]

    def merge(self, older: list[Any], newer: list[Any]) -> list[Any]:
        return [*older, *newer]


class _SumOfList(_Total):
    def add(self, state: int, *values: Any) -> int:
        return state + sum(item or 0 for item in values[0] or ())


class _Sum(BaseAggregator):
    supports_table = True
    is_complex = False

    def initial(self) -> int:
        return 0

    def add(self, state: int, *values: Any) -> int:
        return state + (values[0] or 0)

    def undo(self, state: int, *values: Any) -> int:
        return state - (values[0] or 0)

    def merge(self, older: int, newer: int) -> int:
        return older + newer


class _SumOfStructs(BaseAggregator):
    def initial(self) -> dict[str, int]:
        return {"A": 0, "B": 0}

    def add(self, state: dict[str, int], *values: Any) -> dict[str, int]:
        return {name: state[name] + (values[0] or {}).get(name, 0) for name in state}

    def merge(self, older: dict[str, int], newer: dict[str, int]) -> dict[str, int]:
        return {name: older[name] + newer[name] for name in older}


def _register() -> None:
    seen: dict[str, bool] = {}

    def fails(value: Any) -> Any:
        """Fails for the first text and every second one after it, for true, and for every number."""
        if isinstance(value, str):
            if seen.setdefault(value, len(seen) % 2 == 0):
                raise ValueError(value)
            return value
        if value is not False:
            raise ValueError(value)
        return 0

    scalar("BAD_UDF", "STRING -> STRING", "INTEGER -> INTEGER", "BOOLEAN -> INTEGER", category="TEST")(fails)
    scalar("TOSTRUCT", "STRING -> STRUCT<A STRING>", category="TEST")(lambda value: {"A": value})
    scalar("TEST_UDF", "-> STRUCT<A STRING>", category="TEST")(lambda: {"A": "foo"})
    scalar("TEST_UDF", "STRUCT<A STRING> -> STRING", category="TEST")(lambda value: value["A"])
    for signature, answer in (
        ("INTEGER, STRING -> STRING", "doStuffIntString"),
        ("BIGINT, STRING -> STRING", "doStuffLongString"),
        ("BIGINT, BIGINT, STRING -> STRING", "doStuffLongLongString"),
    ):
        scalar("TEST_UDF", signature, category="TEST", nulls=True)(lambda *values, answer=answer: answer)

    def texts(types: tuple[SqlType, ...], *values: Any) -> list[str]:
        return [text_of(kind)(value) for kind, value in zip(types, values, strict=True)]

    table_function(
        "TEST_UDTF", "INTEGER, BIGINT, DOUBLE, BOOLEAN, STRING, DECIMAL, STRUCT<A STRING> -> STRING", typed=True
    )(texts)
    table_function("TEST_UDTF", "T -> T")(lambda value: [value])
    aggregate("VAR_ARG", "BIGINT, STRING... -> BIGINT")(_Total)
    aggregate("MID_VAR_ARG", "BIGINT, STRING... | INTEGER, INTEGER -> BIGINT")(_Total)
    aggregate("MULTI_ARG", "BIGINT, STRING | INTEGER, STRING... -> BIGINT")(_Total)
    aggregate("FIVE_ARG", "BIGINT, STRING, STRING, STRING, INTEGER | INTEGER, STRING... -> BIGINT")(_Total)
    aggregate("GENERIC_VAR_ARG", "A, B, C... -> ARRAY<A>")(_Whole)
    aggregate("OBJ_COL_ARG", "INTEGER, _... -> ARRAY<INTEGER>")(_Whole)
    aggregate("SUM_LIST", "ARRAY<BIGINT> -> BIGINT")(_SumOfList)
    aggregate("TEST_UDAF", "BIGINT -> BIGINT", "INTEGER -> BIGINT")(_Sum)
    aggregate("TEST_UDAF", "STRUCT<A INTEGER, B INTEGER> -> STRUCT<A INTEGER, B INTEGER>")(_SumOfStructs)
