"""Moments and zones. Times are in milliseconds since the epoch, UTC unless a zone is given or the text names one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """A zone by name (Europe/Berlin), offset (+02:00, GMT+2) or Z.

    Raises:
        ValueError: no such zone.
    """
    if name in ("Z", "UTC", "GMT"):
        return UTC
    found = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?(?::?(\d\d))?", name)
    if found:
        shift = timedelta(hours=int(found[2]), minutes=int(found[3] or 0), seconds=int(found[4] or 0))
        return timezone(-shift if found[1] == "-" else shift)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"Unknown time-zone ID: {name}") from error


def at_millis(millis: int, zone: tzinfo = UTC) -> datetime:
    """The date and time of ``millis`` in ``zone``."""
    return (EPOCH + timedelta(milliseconds=millis)).astimezone(zone)


def to_millis(moment: datetime) -> int:
    """Milliseconds since the epoch of a datetime that has a zone."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def iso_millis(text: str) -> int:
    """A TIMESTAMP literal in ISO form, in part too (2024, 2024-05-01, 2024-05-01T10:00, ...Z, ...+02:00).

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(
        r"(\d{4,})(?:-(\d\d?)(?:-(\d\d?))?)?(?:[T ](\d\d?)?(?::(\d\d?))?(?::(\d\d?))?(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?",
        text.strip(),
    )
    if found is None:
        raise ValueError(f"Failed to parse timestamp '{text}'")
    year, month, day, hour, minute, second = (
        int(found[i] or default) for i, default in ((1, 1970), (2, 1), (3, 1), (4, 0), (5, 0), (6, 0))
    )
    micros = int((found[7] or "").ljust(6, "0")[:6])
    return to_millis(datetime(year, month, day, hour, minute, second, micros, zone_of(found[8]) if found[8] else UTC))
