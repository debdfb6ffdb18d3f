"""The event time of a row from its TIMESTAMP column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.ksql.functions.java_time import timestamp_parser
from services.ksql.functions.time_zones import UTC_ZONE
from services.ksql.model.schema import TimestampColumn

_NO_TIME = -1


def extractor(column: TimestampColumn) -> Callable[[Any], int]:
    """Milliseconds of a column's value; -1 where there is none. A text is read by the column's pattern (ValueError if it does not fit)."""
    if column.pattern is None:
        return lambda value: _NO_TIME if value is None else int(value)
    read = timestamp_parser(column.pattern)
    return lambda value: _NO_TIME if value is None else read(value, UTC_ZONE)
