"""Time zones as java.time has them: regions of the tz database by name, and fixed offsets; their names in English."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_EPOCH = datetime(1970, 1, 1)
#: seconds from the epoch to the year 3 and to 9990-01-01, and in the 400 years after which the calendar repeats itself
_FIRST, _LAST, _CYCLE = -62_072_438_400, 253_086_681_600, 12_622_780_800
_MAX_OFFSET = 18 * 3600
_OFFSET = re.compile(r"([+-])(?:(\d)|(\d\d)(?:(\d\d)(\d\d)?|:(\d\d)(?::(\d\d))?)?)", re.ASCII)


def _datable(seconds: int) -> int:
    """``seconds`` moved by whole cycles of the calendar to where a datetime can be made of them."""
    if seconds > _LAST:
        return seconds - ((seconds - _LAST) // _CYCLE + 1) * _CYCLE
    return max(seconds, _FIRST)


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone with its id; ``region`` is None for a fixed offset, which is ``fixed`` seconds then."""

    id: str
    fixed: int
    region: tzinfo | None = None

    def offset_at(self, seconds: int) -> int:
        """Seconds east of UTC at an instant (seconds since the epoch)."""
        if self.region is None:
            return self.fixed
        moment = (EPOCH + timedelta(seconds=_datable(seconds))).astimezone(self.region)
        return _seconds(moment.utcoffset())

    def offsets_of(self, local: int) -> tuple[int, int]:
        """The offsets of a local time (seconds of its clock) before and after a change: equal unless the clock is set at that
        time; the first is greater where a time comes twice, and smaller where it does not exist."""
        if self.region is None:
            return self.fixed, self.fixed
        moment = (_LOCAL_EPOCH + timedelta(seconds=_datable(local))).replace(tzinfo=self.region)
        return _seconds(moment.utcoffset()), _seconds(moment.replace(fold=1).utcoffset())

    def is_summer(self, seconds: int) -> bool:
        """Whether daylight saving time holds at an instant."""
        if self.region is None:
            return False
        here = EPOCH + timedelta(seconds=_datable(seconds))
        saved = here.astimezone(self.region).dst() or timedelta()
        if saved:
            return saved > timedelta()
        # some zones are described by a negative saving in winter (Europe/Dublin): there, none means summer
        seasons = (here + timedelta(days=days) for days in (-182, -91, 91, 182))
        return any((moment.astimezone(self.region).dst() or timedelta()) < timedelta() for moment in seasons)


def _seconds(shift: timedelta | None) -> int:
    return int((shift or timedelta()).total_seconds())


UTC_ZONE = Zone("UTC", 0)


def offset_id(seconds: int) -> str:
    """An offset as its id: Z, +02:00, -00:53:28."""
    if seconds == 0:
        return "Z"
    hours, rest = divmod(abs(seconds), 3600)
    text = f"{'-' if seconds < 0 else '+'}{hours:02d}:{rest // 60:02d}"
    return f"{text}:{rest % 60:02d}" if rest % 60 else text


def offset_zone(seconds: int, prefix: str = "") -> Zone:
    """A fixed offset, perhaps with UTC, GMT or UT before it.

    Raises:
        ValueError: more than 18 hours.
    """
    if abs(seconds) > _MAX_OFFSET:
        raise ValueError("Zone offset not in valid range: -18:00 to +18:00")
    return Zone(prefix if prefix and not seconds else prefix + offset_id(seconds), seconds)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> Zone:
    """A zone by name (Europe/Berlin), offset (+2, +02:00, GMT+02:00) or Z.

    Raises:
        ValueError: no such zone.
    """
    if name == "Z":
        return offset_zone(0)
    if name in ("UTC", "GMT", "UT"):
        return Zone(name, 0)
    prefix = next((p for p in ("UTC", "GMT", "UT") if name.startswith((p + "+", p + "-"))), "")
    found = _OFFSET.fullmatch(name, len(prefix))
    if found:
        hours, minutes, seconds = (
            int(found[2] or found[3]),
            int(found[4] or found[6] or 0),
            int(found[5] or found[7] or 0),
        )
        if minutes > 59 or seconds > 59:
            raise ValueError(f"Zone offset minutes or seconds not in valid range: {name}")
        shift = hours * 3600 + minutes * 60 + seconds
        return offset_zone(-shift if found[1] == "-" else shift, prefix)
    return zone_named(name)


@lru_cache(maxsize=1024)
def zone_named(name: str) -> Zone:
    """A region of the tz database.

    Raises:
        ValueError: no such region.
    """
    if name not in zone_texts().names:
        raise ValueError(f"Unknown time-zone ID: {name}")
    try:
        return Zone(name, 0, ZoneInfo(name))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"Unknown time-zone ID: {name}") from error


@dataclass(frozen=True, slots=True)
class ZoneTexts:
    """English names. ``names``: region -> short in winter and summer, long in winter and summer; ``short`` and ``long``: the
    region that a name stands for."""

    names: dict[str, tuple[str, str, str, str]]
    short: dict[str, str]
    long: dict[str, str]


@cache
def zone_texts() -> ZoneTexts:
    """The names that a JVM has; ``tests/data/java-time/ZoneNames.java`` makes the file."""
    found = json.loads((Path(__file__).parent / "zone_names.json").read_text())
    names = {region: tuple(found["names"][number]) for region, number in found["regions"].items()}
    return ZoneTexts(names, found["short"], found["long"])
