"""Table functions: a row for each item of what they give."""

from __future__ import annotations

from itertools import product
from typing import Any

from services.ksql.functions.definitions import table_function

#: 2 to the power of so many columns are 65,536 rows
_MOST_COLUMNS = 16


@table_function("EXPLODE", "ARRAY<DECIMAL> -> DECIMAL")
def explode_decimals(input: list[Any]) -> list[Any]:  # noqa: A002 - the name that ksqlDB shows
    """A row for each element of an array."""
    return input


@table_function("EXPLODE", "ARRAY<T> -> T")
def explode(list: list[Any]) -> list[Any]:  # noqa: A002 - the name that ksqlDB shows
    """A row for each element of an array."""
    return list


@table_function("CUBE_EXPLODE", "ARRAY<T> -> ARRAY<T>")
def cube_explode(columns: list[Any]) -> list[list[Any]]:
    """A row for each way to keep some of the columns and make the others NULL."""
    if len(columns) > _MOST_COLUMNS:
        raise ValueError(f"CUBE_EXPLODE takes at most {_MOST_COLUMNS} columns")
    return [list(row) for row in product(*((None,) if one is None else (None, one) for one in columns))]
