"""Text literals that stand for points in time, as in ``ROWTIME > '2020-02-10T08:31:44'``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.ksql.errors import KsqlError

_POINT = re.compile(
    r"(?P<year>\d{1,4})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?"
    r"(?:[T ](?:(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,9}))?)?)?)?)?"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2}|\s?[A-Za-z]+(?:/[A-Za-z_]+)*)?"
)


def parse_point_in_time(text: str) -> int:
    """Epoch milliseconds of a full or shortened ISO time; UTC unless it has a zone.

    Raises:
        KsqlError: the text is not such a time.
    """
    match = _POINT.fullmatch(text)
    if match is None:
        raise KsqlError(f"Failed to parse timestamp '{text}'")
    part = {
        name: int(value or default)
        for name, value, default in (
            (name, match[name], "1" if name in ("month", "day") else "0")
            for name in ("year", "month", "day", "hour", "minute", "second")
        )
    }
    millis = int(((match["fraction"] or "") + "000")[:3])
    try:
        point = datetime(**part, tzinfo=_zone(match["zone"] or "Z"))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise KsqlError(f"Failed to parse timestamp '{text}'") from error
    return int(point.timestamp()) * 1000 + millis


def _zone(text: str) -> timezone | ZoneInfo:
    if text == "Z":
        return UTC
    if text[0] in "+-":
        digits = text[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return timezone(-offset if text[0] == "-" else offset)
    return ZoneInfo(text.strip())
