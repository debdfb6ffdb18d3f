"""Text literals that stand for points in time, as in ``ROWTIME > '2020-02-10T08:31:44'``."""

from __future__ import annotations

from services.ksql.errors import KsqlError
from services.ksql.functions.java_time import partial_timestamp


def parse_point_in_time(text: str) -> int:
    """Epoch milliseconds of a full or shortened ISO time; UTC unless it has a zone.

    Raises:
        KsqlError: the text is not such a time.
    """
    try:
        return partial_timestamp(text)
    except ValueError as error:
        raise KsqlError(f"Failed to parse timestamp '{text}'") from error
