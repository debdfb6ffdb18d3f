"""NULL handling, and AS_VALUE."""

from __future__ import annotations

from typing import Any

from services.ksql.functions.definitions import scalar


@scalar("COALESCE", "T, T... -> T", "T -> T", category="CONDITIONAL", nulls=True)
def coalesce(first: Any, *others: Any) -> Any:
    """The first argument that is not NULL."""
    return first if first is not None else next((v for v in others if v is not None), None)


@scalar("IFNULL", "T, T -> T", category="CONDITIONAL", nulls=True)
def if_null(expression: Any, alt_value: Any) -> Any:
    """The first argument, or the second where the first is NULL."""
    return alt_value if expression is None else expression


@scalar("NULLIF", "T, T -> T", category="CONDITIONAL", nulls=True)
def null_if(expression1: Any, expression2: Any) -> Any:
    """NULL where both arguments are equal, the first otherwise."""
    return None if expression1 == expression2 else expression1


@scalar("AS_VALUE", "T -> T", category="OTHER", nulls=True)
def as_value(keyColumn: Any) -> Any:  # noqa: N803 - the name that ksqlDB shows
    """A copy of a key column that goes into the value."""
    return keyColumn


#: one signature for each type: ksqlDB mixes whole numbers with others only where one of them is a DOUBLE
_COMPARABLE = tuple(
    f"{t}, {t}... -> {t}"
    for t in ("INTEGER", "BIGINT", "DECIMAL", "DOUBLE", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP")
)


@scalar("GREATEST", *_COMPARABLE, category="CONDITIONAL", nulls=True)
def greatest(*values: Any) -> Any:
    """The greatest argument that is not NULL."""
    return max((v for v in values if v is not None), default=None)


@scalar("LEAST", *_COMPARABLE, category="CONDITIONAL", nulls=True)
def least(*values: Any) -> Any:
    """The least argument that is not NULL."""
    return min((v for v in values if v is not None), default=None)
