"""Dates, times and zones as java.time has them: patterns (DateTimeFormatter), their parsing and formatting, the resolving of fields.

Zones are regions of the tz database by name, or fixed offsets. Dates are days since 1970-01-01 of the ISO calendar (any year),
times are nanoseconds of the day. A pattern is compiled once to a row of elements; each of them formats a part of a ``Moment``, and
parses a part of a text into fields. The fields are resolved in the "smart" way: 2019-02-30 is the 28th, 24:00 is the end of the
day, fields that contradict each other are errors.
Texts are English; weeks start on Sunday, and the first week of a year is the one with January 1.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import date as python_date
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
    region of a name."""

    names: dict[str, tuple[str, str, str, str]]
    short: dict[str, str]
    long: dict[str, str]


@cache
def zone_texts() -> ZoneTexts:
    """The names that a JVM has; ``tests/data/java-time/ZoneNames.java`` makes the file."""
    found = json.loads((Path(__file__).parent / "zone_names.json").read_text())
    names = {region: tuple(found["names"][number]) for region, number in found["regions"].items()}
    return ZoneTexts(names, found["short"], found["long"])


NANOS_OF_DAY = 86_400_000_000_000
_SECOND = 1_000_000_000
_MINUTE, _HOUR = 60 * _SECOND, 3600 * _SECOND
_EPOCH_ORDINAL = python_date(1970, 1, 1).toordinal()
_MAX_YEAR = 999_999_999
_MAX_LONG = 2**63 - 1

Fields = dict[str, int]

_RANGES: dict[str, tuple[int, int]] = {
    "NANO_OF_SECOND": (0, _SECOND - 1),
    "NANO_OF_DAY": (0, NANOS_OF_DAY - 1),
    "MILLI_OF_SECOND": (0, 999),
    "MILLI_OF_DAY": (0, 86_399_999),
    "SECOND_OF_MINUTE": (0, 59),
    "MINUTE_OF_HOUR": (0, 59),
    "HOUR_OF_AMPM": (0, 11),
    "CLOCK_HOUR_OF_AMPM": (1, 12),
    "HOUR_OF_DAY": (0, 23),
    "CLOCK_HOUR_OF_DAY": (1, 24),
    "AMPM_OF_DAY": (0, 1),
    "DAY_OF_WEEK": (1, 7),
    "LOCAL_DAY_OF_WEEK": (1, 7),
    "ALIGNED_DAY_OF_WEEK_IN_MONTH": (1, 7),
    "DAY_OF_MONTH": (1, 31),
    "DAY_OF_YEAR": (1, 366),
    "MONTH_OF_YEAR": (1, 12),
    "YEAR_OF_ERA": (1, _MAX_YEAR + 1),
    "YEAR": (-_MAX_YEAR, _MAX_YEAR),
    "WEEK_BASED_YEAR": (-_MAX_YEAR, _MAX_YEAR),
    "WEEK_OF_WEEK_BASED_YEAR": (1, 53),
    "WEEK_OF_MONTH": (0, 6),
    "ERA": (0, 1),
}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_QUARTERS = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")


_DAY_MILLIS = 86_400_000


class TimeFormatError(ValueError):
    """A pattern that is none, a text that does not fit its pattern, or a value that a pattern cannot show."""


def _checked(name: str, value: int) -> int:
    low, high = _RANGES[name]
    if not low <= value <= high:
        words = "".join(part.capitalize() for part in name.split("_"))
        raise TimeFormatError(f"Invalid value for {words} (valid values {low} - {high}): {value}")
    return value


# Dates


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(year: int, month: int) -> int:
    return 29 if month == 2 and is_leap(year) else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date of any year."""
    cycles, inside = divmod(year - 1, 400)  # the calendar repeats itself every 400 years, 146,097 days
    return python_date(inside + 1, month, day).toordinal() - _EPOCH_ORDINAL + cycles * 146_097


def date_of(days: int) -> tuple[int, int, int]:
    """Year, month and day of days since 1970-01-01."""
    cycles, inside = divmod(days + _EPOCH_ORDINAL - 1, 146_097)
    found = python_date.fromordinal(inside + 1)
    return found.year + cycles * 400, found.month, found.day


def _weekday(days: int) -> int:
    return (days + 3) % 7 + 1


def _local_weekday(days: int) -> int:
    return (days + 4) % 7 + 1


def _day_of_year(days: int) -> int:
    return days - days_of(date_of(days)[0], 1, 1) + 1


def _week_offset(day: int, weekday: int) -> int:
    # one day of a period is enough for its first week
    return (weekday - day) % 7


def _week(offset: int, day: int) -> int:
    return (7 + offset + day - 1) // 7


def _year_length(year: int) -> int:
    return 366 if is_leap(year) else 365


def _week_based(days: int) -> tuple[int, int]:
    """Year and week of the week-based calendar."""
    year, day = date_of(days)[0], _day_of_year(days)
    offset = _week_offset(day, _local_weekday(days))
    week, next_year = _week(offset, day), _week(offset, _year_length(year) + 1)
    return (year + 1, week - next_year + 1) if week >= next_year else (year, week)


_DATE: dict[str, Callable[[int], int]] = {
    "YEAR": lambda days: date_of(days)[0],
    "YEAR_OF_ERA": lambda days: year if (year := date_of(days)[0]) >= 1 else 1 - year,
    "ERA": lambda days: int(date_of(days)[0] >= 1),
    "MONTH_OF_YEAR": lambda days: date_of(days)[1],
    "PROLEPTIC_MONTH": lambda days: date_of(days)[0] * 12 + date_of(days)[1] - 1,
    "QUARTER_OF_YEAR": lambda days: (date_of(days)[1] + 2) // 3,
    "DAY_OF_MONTH": lambda days: date_of(days)[2],
    "DAY_OF_YEAR": _day_of_year,
    "EPOCH_DAY": lambda days: days,
    "MODIFIED_JULIAN_DAY": lambda days: days + 40_587,
    "DAY_OF_WEEK": _weekday,
    "LOCAL_DAY_OF_WEEK": _local_weekday,
    "ALIGNED_DAY_OF_WEEK_IN_MONTH": lambda days: (date_of(days)[2] - 1) % 7 + 1,
    "ALIGNED_DAY_OF_WEEK_IN_YEAR": lambda days: (_day_of_year(days) - 1) % 7 + 1,
    "ALIGNED_WEEK_OF_MONTH": lambda days: (date_of(days)[2] - 1) // 7 + 1,
    "ALIGNED_WEEK_OF_YEAR": lambda days: (_day_of_year(days) - 1) // 7 + 1,
    "WEEK_BASED_YEAR": lambda days: _week_based(days)[0],
    "WEEK_OF_WEEK_BASED_YEAR": lambda days: _week_based(days)[1],
    "WEEK_OF_MONTH": lambda days: _week(_week_offset(date_of(days)[2], _local_weekday(days)), date_of(days)[2]),
}
_TIME: dict[str, Callable[[int], int]] = {
    "NANO_OF_SECOND": lambda nanos: nanos % _SECOND,
    "NANO_OF_DAY": lambda nanos: nanos,
    "MICRO_OF_SECOND": lambda nanos: nanos % _SECOND // 1000,
    "MICRO_OF_DAY": lambda nanos: nanos // 1000,
    "MILLI_OF_SECOND": lambda nanos: nanos % _SECOND // 1_000_000,
    "MILLI_OF_DAY": lambda nanos: nanos // 1_000_000,
    "SECOND_OF_MINUTE": lambda nanos: nanos // _SECOND % 60,
    "SECOND_OF_DAY": lambda nanos: nanos // _SECOND,
    "MINUTE_OF_HOUR": lambda nanos: nanos // _MINUTE % 60,
    "MINUTE_OF_DAY": lambda nanos: nanos // _MINUTE,
    "HOUR_OF_AMPM": lambda nanos: nanos // _HOUR % 12,
    "CLOCK_HOUR_OF_AMPM": lambda nanos: nanos // _HOUR % 12 or 12,
    "HOUR_OF_DAY": lambda nanos: nanos // _HOUR,
    "CLOCK_HOUR_OF_DAY": lambda nanos: nanos // _HOUR or 24,
    "AMPM_OF_DAY": lambda nanos: nanos // _HOUR // 12,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """The value to format: a date, a time of day, or both at an offset of a zone (seconds). None is absent."""

    days: int | None = None
    nanos: int | None = None
    zone: Zone | None = None
    offset: int = 0

    @staticmethod
    def at_millis(millis: int, zone: Zone = UTC_ZONE) -> Moment:
        """The date and time of milliseconds since the epoch in ``zone``."""
        offset = zone.offset_at(millis // 1000)
        days, rest = divmod(millis + offset * 1000, 86_400_000)
        return Moment(days, rest * 1_000_000, zone, offset)

    def get(self, name: str) -> int | None:
        """A field's value; None if it has none."""
        if self.days is not None and name in _DATE:
            return _DATE[name](self.days)
        if self.nanos is not None and name in _TIME:
            return _TIME[name](self.nanos)
        if name == "OFFSET_SECONDS" and self.zone is not None:
            return self.offset
        return None

    @property
    def instant(self) -> int:
        """Seconds since the epoch."""
        return (self.days or 0) * 86_400 + (self.nanos or 0) // _SECOND - self.offset


# What a text says


@dataclass(slots=True)
class Parsed:
    """The fields of a text, then also the date (days) and the time (nanoseconds) that they resolve to."""

    fields: Fields = field(default_factory=dict)
    zone: Zone | None = None
    days: int | None = None
    nanos: int | None = None
    excess_days: int = 0

    def get(self, name: str) -> int | None:
        """A field's value: as parsed, or of the date or time; None if there is none."""
        if name in self.fields:
            return self.fields[name]
        return Moment(self.days, self.nanos).get(name)

    def has_time(self) -> bool:
        return self.nanos is not None or any(name in _TIME for name in self.fields)

    def has_date(self) -> bool:
        return self.days is not None or any(name in _DATE_FIELDS for name in self.fields)

    def resolve(self) -> None:
        """Makes a date and a time of the fields where they are enough for one. Raises TimeFormatError for what cannot be."""
        self._resolve_date()
        self._resolve_time()
        if self._resolve_weeks():
            self._resolve_date()
            self._resolve_time()
        self._complete_time()
        self._cross_check()
        if self.days is not None and self.nanos is not None:
            self.days += self.excess_days
            self.excess_days = 0
        if self.nanos is None and "SECOND_OF_MINUTE" in self.fields:
            nano = self.fields.setdefault("NANO_OF_SECOND", 0)
            self.fields["MICRO_OF_SECOND"] = nano // 1000
            self.fields["MILLI_OF_SECOND"] = nano // 1_000_000

    def _put(self, name: str, value: int) -> None:
        if self.fields.setdefault(name, value) != value:
            raise TimeFormatError(f"Conflict found: {name} {self.fields[name]} differs from {name} {value}")

    def _put_date(self, days: int) -> None:
        if self.days not in (None, days):
            raise TimeFormatError("Conflict found: Fields resolved to two different dates")
        self.days = days

    def _put_time(self, nanos: int, excess_days: int = 0) -> None:
        if self.nanos not in (None, nanos):
            raise TimeFormatError("Conflict found: Fields resolved to two different times")
        self.nanos, self.excess_days = nanos, excess_days

    def _resolve_date(self) -> None:
        fields = self.fields
        if (julian := fields.pop("MODIFIED_JULIAN_DAY", None)) is not None:
            _checked("YEAR", date_of(julian - 40_587)[0])
            self._put_date(julian - 40_587)
        self._resolve_era()
        if "YEAR" not in fields:
            return
        if "MONTH_OF_YEAR" in fields and "DAY_OF_MONTH" in fields:
            year = _checked("YEAR", fields.pop("YEAR"))
            month = _checked("MONTH_OF_YEAR", fields.pop("MONTH_OF_YEAR"))
            day = _checked("DAY_OF_MONTH", fields.pop("DAY_OF_MONTH"))
            self._put_date(days_of(year, month, min(day, month_length(year, month))))
        elif "DAY_OF_YEAR" in fields:
            year = _checked("YEAR", fields.pop("YEAR"))
            day = _checked("DAY_OF_YEAR", fields.pop("DAY_OF_YEAR"))
            if day > _year_length(year):
                raise TimeFormatError(f"Invalid date 'DayOfYear 366' as '{year}' is not a leap year")
            self._put_date(days_of(year, 1, 1) + day - 1)

    def _resolve_era(self) -> None:
        fields = self.fields
        year = fields.pop("YEAR_OF_ERA", None)
        if year is None:
            if "ERA" in fields:
                _checked("ERA", fields["ERA"])
            return
        _checked("YEAR_OF_ERA", year)
        era = fields.pop("ERA", None)
        if era is None:
            known = fields.get("YEAR")
            self._put("YEAR", year if known is None or known > 0 else 1 - year)
        else:
            self._put("YEAR", year if _checked("ERA", era) else 1 - year)

    def _resolve_weeks(self) -> bool:
        """The fields of weeks that start on Sunday; whether they gave anything."""
        fields = self.fields
        changed = False
        if (local := fields.pop("LOCAL_DAY_OF_WEEK", None)) is not None:
            # as in Java, it takes the place of a day of the week that was parsed as well
            fields["DAY_OF_WEEK"] = (_checked("LOCAL_DAY_OF_WEEK", local) + 5) % 7 + 1
            changed = True
        if "DAY_OF_WEEK" not in fields:
            return changed
        weekday = _checked("DAY_OF_WEEK", fields["DAY_OF_WEEK"]) % 7 + 1
        if "YEAR" in fields:
            if "WEEK_OF_MONTH" in fields and "MONTH_OF_YEAR" in fields:
                year = _checked("YEAR", fields.pop("YEAR"))
                first = days_of(year, _checked("MONTH_OF_YEAR", fields.pop("MONTH_OF_YEAR")), 1)
                week = _checked("WEEK_OF_MONTH", fields.pop("WEEK_OF_MONTH"))
                weeks = week - _DATE["WEEK_OF_MONTH"](first)
                del fields["DAY_OF_WEEK"]
                self._put_date(first + weeks * 7 + weekday - _local_weekday(first))
                changed = True
        elif "WEEK_BASED_YEAR" in fields and "WEEK_OF_WEEK_BASED_YEAR" in fields:
            year = _checked("WEEK_BASED_YEAR", fields.pop("WEEK_BASED_YEAR"))
            week = _checked("WEEK_OF_WEEK_BASED_YEAR", fields.pop("WEEK_OF_WEEK_BASED_YEAR"))
            first = days_of(year, 1, 1)
            offset = _week_offset(1, _local_weekday(first))
            week = min(week, _week(offset, _year_length(year) + 1) - 1)
            del fields["DAY_OF_WEEK"]
            self._put_date(first - offset + weekday - 1 + (week - 1) * 7)
            changed = True
        return changed

    def _resolve_time(self) -> None:
        fields = self.fields
        for clock, hour, full in (("CLOCK_HOUR_OF_DAY", "HOUR_OF_DAY", 24), ("CLOCK_HOUR_OF_AMPM", "HOUR_OF_AMPM", 12)):
            if (value := fields.pop(clock, None)) is not None:
                if value:
                    _checked(clock, value)
                self._put(hour, 0 if value == full else value)
        if "AMPM_OF_DAY" in fields and "HOUR_OF_AMPM" in fields:
            half = _checked("AMPM_OF_DAY", fields.pop("AMPM_OF_DAY"))
            self._put("HOUR_OF_DAY", half * 12 + _checked("HOUR_OF_AMPM", fields.pop("HOUR_OF_AMPM")))
        if (nanos := fields.pop("NANO_OF_DAY", None)) is not None:
            seconds, nano = divmod(_checked("NANO_OF_DAY", nanos), _SECOND)
            self._put_clock(seconds)
            self._put("NANO_OF_SECOND", nano)
        if (millis := fields.pop("MILLI_OF_DAY", None)) is not None:
            seconds, milli = divmod(_checked("MILLI_OF_DAY", millis), 1000)
            self._put_clock(seconds)
            fields["MILLI_OF_SECOND"] = milli
        if "NANO_OF_SECOND" in fields:
            nano = _checked("NANO_OF_SECOND", fields["NANO_OF_SECOND"])
            if (found := fields.pop("MILLI_OF_SECOND", None)) is not None:
                self._put("NANO_OF_SECOND", found * 1_000_000 + nano % 1_000_000)

    def _put_clock(self, seconds: int) -> None:
        self._put("HOUR_OF_DAY", seconds // 3600)
        self._put("MINUTE_OF_HOUR", seconds // 60 % 60)
        self._put("SECOND_OF_MINUTE", seconds % 60)

    def _complete_time(self) -> None:
        fields = self.fields
        if (millis := fields.pop("MILLI_OF_SECOND", None)) is not None:
            fields["NANO_OF_SECOND"] = millis * 1_000_000
        names = ("HOUR_OF_DAY", "MINUTE_OF_HOUR", "SECOND_OF_MINUTE", "NANO_OF_SECOND")
        hour, minute, second, nano = (fields.get(name) for name in names)
        if hour is None and minute is None and second is None and nano is None:
            if (half := fields.pop("AMPM_OF_DAY", None)) is not None:  # the middle of the morning or afternoon
                self._put_time((half * 12 + 6) * 3600 * _SECOND)
        elif hour is not None and not (
            (minute is None and (second is not None or nano is not None))
            or (minute is not None and second is None and nano is not None)
        ):
            minute = _checked("MINUTE_OF_HOUR", minute or 0)
            nano = _checked("NANO_OF_SECOND", nano or 0)
            if hour == 24 and not (minute or second or nano):
                self._put_time(0, 1)
            else:
                _checked("HOUR_OF_DAY", hour)
                seconds = hour * 3600 + minute * 60 + _checked("SECOND_OF_MINUTE", second or 0)
                self._put_time(seconds * _SECOND + nano)
            for name in names:
                fields.pop(name, None)
        for name, value in fields.items():
            if name in _TIME:
                _checked(name, value)

    def _cross_check(self) -> None:
        resolved = Moment(self.days, self.nanos)
        for name, value in list(self.fields.items()):
            known = resolved.get(name)
            if known is None:
                continue
            if known != value:
                raise TimeFormatError(f"Conflict found: Field {name} {known} differs from {name} {value}")
            del self.fields[name]


# The elements of a pattern


@dataclass(slots=True)
class _Context:
    """A parse under way."""

    text: str
    ignore_case: bool
    parsed: Parsed = field(default_factory=Parsed)

    def same(self, position: int, expected: str) -> bool:
        found = self.text[position : position + len(expected)]
        return found == expected or (
            self.ignore_case
            and len(found) == len(expected)
            and all(
                a == b or a.upper() == b.upper() or a.lower() == b.lower() for a, b in zip(found, expected, strict=True)
            )
        )

    def put(self, name: str, value: int, start: int, end: int) -> int:
        return end if self.parsed.fields.setdefault(name, value) == value else ~start


class _Element(ABC):
    @abstractmethod
    def parse(self, context: _Context, position: int) -> int:
        """The position after this element, or ``~position`` of the error."""

    @abstractmethod
    def format(self, moment: Moment) -> str | None:
        """The text; None if the moment has no such field."""

    def needed(self) -> str:
        """The name of what the moment must have, for an error."""
        return type(self).__name__


@dataclass(slots=True)
class _Literal(_Element):
    text: str

    def parse(self, context: _Context, position: int) -> int:
        return position + len(self.text) if context.same(position, self.text) else ~position

    def format(self, moment: Moment) -> str | None:
        return self.text


# how a number's sign is read and written
_NORMAL, _NOT_NEGATIVE, _EXCEEDS_PAD = "normal", "not negative", "exceeds pad"


@dataclass(slots=True)
class _Number(_Element):
    name: str
    least: int = 1
    most: int = 19
    sign: str = _NORMAL
    #: digits of the fixed numbers that follow without a gap; -1: this number has a fixed width itself
    subsequent: int = 0

    def __post_init__(self) -> None:
        if self.least > 19 and self.name != "WEEK_BASED_YEAR":
            raise TimeFormatError(f"The minimum width must be from 1 to 19 inclusive but was {self.least}")

    @property
    def is_fixed(self) -> bool:
        return self.least == self.most and self.sign == _NOT_NEGATIVE

    def needed(self) -> str:
        return self.name

    def parse(self, context: _Context, position: int) -> int:
        text, start = context.text, position
        sign = text[position : position + 1]
        if (sign == "+" and self.sign == _EXCEEDS_PAD) or (sign == "-" and self.sign in (_NORMAL, _EXCEEDS_PAD)):
            position += 1
        else:
            sign = ""
        digits = 0
        limit = self.most + max(self.subsequent, 0)
        while digits < limit and "0" <= text[position + digits : position + digits + 1] <= "9":
            digits += 1
        if digits < self.least:
            return ~position
        if self.subsequent > 0:
            digits = max(self.least, digits - self.subsequent)
        value = int(text[position : position + digits])
        if value > _MAX_LONG:
            digits, value = digits - 1, value // 10
        if sign == "-":
            if value == 0:
                return ~start
            value = -value
        elif self.sign == _EXCEEDS_PAD and ((sign == "+") != (digits > self.least)):
            return ~start
        return self._put(context, value, position, position + digits)

    def _put(self, context: _Context, value: int, start: int, end: int) -> int:
        return context.put(self.name, value, start, end)

    def _value(self, moment: Moment) -> int | None:
        return moment.get(self.name)

    def format(self, moment: Moment) -> str | None:
        value = self._value(moment)
        if value is None:
            return None
        digits = str(abs(value))
        if len(digits) > self.most:
            raise TimeFormatError(
                f"Field {self.name} cannot be printed as the value {value} exceeds the maximum print width of {self.most}"
            )
        sign = "-" if value < 0 else "+" if self.sign == _EXCEEDS_PAD and len(digits) > self.least else ""
        if value < 0 and self.sign == _NOT_NEGATIVE:
            raise TimeFormatError(f"Field {self.name} cannot be printed as the value {value} cannot be negative")
        return sign + digits.rjust(self.least, "0")


@dataclass(slots=True)
class _TwoDigitYear(_Number):
    """The last two digits of a year of 2000 to 2099."""

    def _put(self, context: _Context, value: int, start: int, end: int) -> int:
        return context.put(self.name, 2000 + value, start, end)

    def _value(self, moment: Moment) -> int | None:
        value = moment.get(self.name)
        return None if value is None else abs(value) % 100


@dataclass(slots=True)
class _Fraction(_Number):
    """The first digits of the nanosecond."""

    def __post_init__(self) -> None:
        if self.least > 9:
            raise TimeFormatError(f"Maximum width must be from 1 to 9 inclusive but was {self.least}")

    def parse(self, context: _Context, position: int) -> int:
        digits = context.text[position : position + self.least]
        if len(digits) < self.least or not (digits.isascii() and digits.isdigit()):
            return ~position
        return context.put(self.name, int(digits.ljust(9, "0")), position, position + self.least)

    def format(self, moment: Moment) -> str | None:
        value = moment.get(self.name)
        return None if value is None else f"{value:09d}"[: self.least]


@dataclass(slots=True)
class _Text(_Element):
    """One of several words. ``read`` may have more of them than are written."""

    name: str
    written: dict[int, str]
    read: dict[str, int]

    def needed(self) -> str:
        return self.name

    def parse(self, context: _Context, position: int) -> int:
        for text in sorted(self.read, key=len, reverse=True):
            if context.same(position, text):
                return context.put(self.name, self.read[text], position, position + len(text))
        return ~position

    def format(self, moment: Moment) -> str | None:
        value = moment.get(self.name)
        return None if value is None else self.written[value]


# for each of X to XXXXX: whether it has colons, whether minutes must be there, and whether seconds may
_OFFSETS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (True, True, False),
    4: (False, True, True),
    5: (True, True, True),
}


@dataclass(slots=True)
class _Offset(_Element):
    """+02, +0200, +02:00, +020000: an offset as numbers, ``zero`` where there is none."""

    colon: bool
    minutes: bool
    seconds: bool
    zero: str

    def parse(self, context: _Context, position: int) -> int:
        if position == len(context.text):
            return ~position
        if context.same(position, self.zero):
            return context.put("OFFSET_SECONDS", 0, position, position + len(self.zero))
        found = self.read(context.text, position)
        if found is None:
            return ~position
        return context.put("OFFSET_SECONDS", found[0], position, found[1])

    def read(self, text: str, position: int) -> tuple[int, int] | None:
        """Seconds and the position after them; None if there are none."""
        if text[position : position + 1] not in ("+", "-"):
            return None
        sign = -1 if text[position] == "-" else 1
        hours = _two_digits(text, position + 1)
        if hours is None:
            return None
        end, parts = position + 3, [hours, 0, 0]
        for number in (1, 2) if self.seconds else (1,):
            gap = 1 if self.colon else 0
            part = None if self.colon and text[end : end + 1] != ":" else _two_digits(text, end + gap)
            if part is None:
                if number == 1 and self.minutes:
                    return None
                break
            parts[number], end = part, end + gap + 2
        if hours > 23:
            raise TimeFormatError("Value out of range: Hour[0-23], Minute[0-59], Second[0-59]")
        return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]), end

    def format(self, moment: Moment) -> str | None:
        total = moment.get("OFFSET_SECONDS")
        if total is None:
            return None
        hours, rest = divmod(abs(total), 3600)
        minutes, seconds = divmod(rest, 60)
        if hours == minutes == 0 and not (self.seconds and seconds):
            return self.zero
        colon = ":" if self.colon else ""
        text = f"{'-' if total < 0 else '+'}{hours % 100:02d}"
        if self.minutes or minutes:
            text += f"{colon}{minutes:02d}"
            if self.seconds and seconds:
                text += f"{colon}{seconds:02d}"
        return text


def _two_digits(text: str, position: int) -> int | None:
    digits = text[position : position + 2]
    if len(digits) == 2 and digits.isascii() and digits.isdigit() and int(digits) <= 59:
        return int(digits)
    return None


_LOCALIZED = re.compile(r"([+-])(\d\d?)(?::([0-5]\d)(?::([0-5]\d))?)?", re.ASCII)
_LOCALIZED_FULL = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?", re.ASCII)


@dataclass(slots=True)
class _LocalizedOffset(_Element):
    """GMT, GMT+2 or GMT+02:00."""

    full: bool

    def parse(self, context: _Context, position: int) -> int:
        if not context.same(position, "GMT"):
            return ~position
        start = position
        position += 3
        if position == len(context.text):
            return context.put("OFFSET_SECONDS", 0, start, position)
        found = (_LOCALIZED_FULL if self.full else _LOCALIZED).match(context.text, position)
        if found is None:
            if context.text[position] in "+-":
                return ~start
            return context.put("OFFSET_SECONDS", 0, start, position)
        total = int(found[2]) * 3600 + int(found[3] or 0) * 60 + int(found[4] or 0)
        return context.put("OFFSET_SECONDS", -total if found[1] == "-" else total, start, found.end())

    def format(self, moment: Moment) -> str | None:
        total = moment.get("OFFSET_SECONDS")
        if total is None or total == 0:
            return None if total is None else "GMT"
        hours, rest = divmod(abs(total), 3600)
        minutes, seconds = divmod(rest, 60)
        text = f"GMT{'-' if total < 0 else '+'}" + (f"{hours:02d}:{minutes:02d}" if self.full else str(hours))
        if not self.full and (minutes or seconds):
            text += f":{minutes:02d}"
        return f"{text}:{seconds:02d}" if seconds else text


@cache
def _names_of_zones(kind: str) -> tuple[dict[str, str], dict[str, str], int]:
    """Name -> region, for ``id``, and ``short`` or ``long`` names as well; the same with names in lower case; the longest."""
    texts = zone_texts()
    names = {name: name for name in texts.names}
    if kind != "id":
        names = (texts.short if kind == "short" else texts.long) | names
    return names, {name.lower(): region for name, region in names.items()}, max(map(len, names))


@dataclass(slots=True)
class _ZoneId(_Element):
    """Europe/Berlin, +02:00, UTC+2, Z."""

    kind: str = "id"

    def parse(self, context: _Context, position: int) -> int:  # noqa: PLR0911 - one answer per form
        text = context.text
        if position == len(text):
            return ~position
        if text[position] in "+-":
            return self._offset(context, position, position, "Z")
        if context.same(position, "UTC"):
            if self.kind == "id" or self._named(context, position)[1] <= position + 3:
                return self._offset(context, position, position + 3, "0")
        elif context.same(position, "UT"):
            return self._offset(context, position, position + 2, "0")
        elif context.same(position, "GMT0"):
            context.parsed.zone = zone_named("GMT0")
            return position + 4
        elif context.same(position, "GMT"):
            return self._offset(context, position, position + 3, "0")
        region, end = self._named(context, position)
        if region:
            context.parsed.zone = zone_of(region)
            return end
        if context.same(position, "Z"):
            context.parsed.zone = offset_zone(0)
            return position + 1
        return ~position

    def _named(self, context: _Context, position: int) -> tuple[str, int]:
        """The region of the longest name at a position, and the position after it; an empty one if there is none."""
        names, lowered, longest = _names_of_zones(self.kind)
        text = context.text[position : position + longest]
        if context.ignore_case:
            text, names = text.lower(), lowered
        for length in range(len(text), 0, -1):
            if (region := names.get(text[:length])) is not None:
                return region, position + length
        return "", position

    @staticmethod
    def _offset(context: _Context, start: int, position: int, zero: str) -> int:
        text, prefix = context.text, context.text[start:position].upper()
        after = text[position : position + 1]
        if prefix and after in ("", "0", "Z", "z" if context.ignore_case else "Z"):
            context.parsed.zone = zone_of(prefix)
            return position
        found = _Offset(colon=True, minutes=True, seconds=True, zero=zero).read(text, position)
        if found is None:
            if not prefix:
                return ~start
            context.parsed.zone = zone_of(prefix)
            return position
        try:
            context.parsed.zone = offset_zone(found[0], prefix)
        except ValueError:
            return ~start
        return found[1]

    def format(self, moment: Moment) -> str | None:
        return None if moment.zone is None else moment.zone.id


@dataclass(slots=True)
class _ZoneName(_ZoneId):
    """CET or Central European Standard Time."""

    def format(self, moment: Moment) -> str | None:
        zone = moment.zone
        if zone is None:
            return None
        names = zone_texts().names.get(zone.id)
        if names is None:
            return zone.id
        summer = moment.days is not None and zone.is_summer(moment.instant)
        return names[(0 if self.kind == "short" else 2) + summer]


@dataclass(slots=True)
class _Padded(_Element):
    inner: _Element
    width: int

    def needed(self) -> str:
        return self.inner.needed()

    def parse(self, context: _Context, position: int) -> int:
        if position == len(context.text) or position + self.width > len(context.text):
            return ~position
        end = start = position
        end += self.width
        while start < end and context.text[start] == " ":
            start += 1
        inside = _Context(context.text[:end], context.ignore_case, context.parsed)
        found = self.inner.parse(inside, start)
        return found if found == end else ~(position + start)

    def format(self, moment: Moment) -> str | None:
        text = self.inner.format(moment)
        if text is not None and len(text) > self.width:
            raise TimeFormatError(f"Cannot print as output of {len(text)} characters exceeds pad width of {self.width}")
        return None if text is None else text.rjust(self.width)


@dataclass(slots=True)
class _Sequence(_Element):
    """Elements in a row; optional ones are left out of a text as a whole."""

    optional: bool = False
    elements: list[_Element] = field(default_factory=list)
    #: the number that fixed numbers without a gap lean on
    leader: int | None = None

    def append(self, element: _Element) -> None:
        self.elements.append(element)
        self.leader = None

    def append_number(self, number: _Number, pad: int) -> None:
        """A number; those that follow one another without a gap share their digits."""
        leader = None if self.leader is None else self.elements[self.leader]
        place = self.leader
        leading = leader.inner if isinstance(leader, _Padded) else leader
        if isinstance(leading, _Number):
            if number.is_fixed:
                leading.subsequent += number.most
                number.subsequent = -1
            else:
                leading.subsequent = -1
                place = len(self.elements)
        else:
            place = len(self.elements)
        self.append(_Padded(number, pad) if pad else number)
        self.leader = place

    def parse(self, context: _Context, position: int) -> int:
        saved = context.parsed
        if self.optional:
            context.parsed = Parsed(dict(saved.fields), saved.zone)
        at = position
        for element in self.elements:
            at = element.parse(context, at)
            if at < 0:
                break
        if self.optional and at < 0:
            context.parsed = saved
            return position
        return at

    def format(self, moment: Moment) -> str | None:
        texts = []
        for element in self.elements:
            text = element.format(moment)
            if text is None:
                if self.optional:
                    return ""
                raise TimeFormatError(f"Unsupported field: {element.needed()}")
            texts.append(text)
        return "".join(texts)


# Patterns

_PLAIN_NUMBERS = {
    "d": "DAY_OF_MONTH",
    "H": "HOUR_OF_DAY",
    "k": "CLOCK_HOUR_OF_DAY",
    "h": "CLOCK_HOUR_OF_AMPM",
    "K": "HOUR_OF_AMPM",
    "m": "MINUTE_OF_HOUR",
    "s": "SECOND_OF_MINUTE",
}
_WIDE_NUMBERS = {"A": "MILLI_OF_DAY", "n": "NANO_OF_SECOND", "N": "NANO_OF_DAY"}
_YEARS = {"u": "YEAR", "y": "YEAR_OF_ERA", "Y": "WEEK_BASED_YEAR"}
_TEXT_FIELDS = {
    "M": "MONTH_OF_YEAR", "L": "MONTH_OF_YEAR", "Q": "QUARTER_OF_YEAR", "q": "QUARTER_OF_YEAR", "E": "DAY_OF_WEEK",
    "e": "DAY_OF_WEEK", "c": "DAY_OF_WEEK",
}  # fmt: skip
_SHORT, _FULL, _NARROW = 3, 4, 5
_LETTERS = re.compile(r"([A-Za-z])\1*")


def _numbered(texts: tuple[str, ...] | list[str]) -> dict[int, str]:
    return dict(enumerate(texts, 1))


def _words(letter: str, count: int) -> dict[int, str]:
    """The texts of a field by their number."""
    if letter == "G":
        return dict(enumerate({_FULL: ("Before Christ", "Anno Domini"), _NARROW: ("B", "A")}.get(count, ("BC", "AD"))))
    if letter in "Qq":
        return _numbered(
            _QUARTERS if count == _FULL else [f"{'' if count == _NARROW else 'Q'}{n}" for n in range(1, 5)]
        )
    names = _MONTHS if letter in "ML" else _DAYS
    return _numbered([name[: {_SHORT: 3, _NARROW: 1}.get(count)] for name in names])


def _root_words(letter: str, count: int) -> dict[str, int]:
    """The texts of a field in the root locale, in which a real server reads timestamps: it has no long names."""
    if letter == "G":
        return {"BCE": 0, "CE": 1} if count >= _FULL else {}
    if count == _FULL:
        return {text: number for number, text in _words(letter, _SHORT).items()}
    if letter == "q" or (letter in "ML" and count == _NARROW):
        return {str(number): number for number in _words(letter, count)}
    return {}


class _Compiler:
    """Turns a pattern into elements. ``root_too``: the words of the root locale are read as well."""

    def __init__(self, pattern: str, *, root_too: bool) -> None:
        self._pattern = pattern
        self._root_too = root_too
        self._open = [_Sequence()]

    def compile(self) -> _Sequence:
        pattern, position = self._pattern, 0
        while position < len(pattern):
            char = pattern[position]
            if char.isascii() and char.isalpha():
                position = self._letters(position)
                continue
            position += 1
            if char == "'":
                position = self._quoted(position)
            elif char == "[":
                self._open.append(_Sequence(optional=True))
            elif char == "]":
                if len(self._open) == 1:
                    raise TimeFormatError("Pattern invalid as it contains ] without previous [")
                self._close()
            elif char in "{}#":
                raise TimeFormatError(f"Pattern includes reserved character: '{char}'")
            else:
                self._open[-1].append(_Literal(char))
        while len(self._open) > 1:
            self._close()
        return self._open[0]

    def _close(self) -> None:
        closed = self._open.pop()
        if closed.elements:
            self._open[-1].append(closed)
        else:
            self._open[-1].leader = None

    def _quoted(self, position: int) -> int:
        text = ""
        while True:
            end = self._pattern.find("'", position)
            if end < 0:
                raise TimeFormatError(f"Pattern ends with an incomplete string literal: {self._pattern}")
            text += self._pattern[position:end]
            if self._pattern[end + 1 : end + 2] != "'":
                break
            text, position = text + "'", end + 2
        self._open[-1].append(_Literal(text or "'"))
        return end + 1

    def _letters(self, position: int) -> int:
        run = self._run(position)
        letter, count, position = run[0], len(run), position + len(run)
        pad = 0
        if letter == "p":
            run = self._run(position)
            if not run:
                raise TimeFormatError(f"Pad letter 'p' must be followed by valid pad pattern: {self._pattern}")
            pad, letter, count, position = count, run[0], len(run), position + len(run)
        element = self._element(letter, count)
        if isinstance(element, _Number):
            self._open[-1].append_number(element, pad)
        else:
            self._open[-1].append(_Padded(element, pad) if pad else element)
        return position

    def _run(self, position: int) -> str:
        found = _LETTERS.match(self._pattern, position)
        return found[0] if found else ""

    def _element(self, letter: str, count: int) -> _Element:  # noqa: PLR0911, PLR0912 - one answer per letter
        most = {
            **dict.fromkeys("MLQqEecGX", 5), **dict.fromkeys("xZ", 5), "z": 4, **dict.fromkeys("dhHkKmsw", 2), "D": 3,
            **dict.fromkeys("aWF", 1),
        }.get(letter)  # fmt: skip
        if most is not None and count > most:
            raise TimeFormatError(f"Too many pattern letters: {letter}")
        match letter:
            case "u" | "y" | "Y":
                if count == 2:
                    return _TwoDigitYear(_YEARS[letter], 2, 2, _NOT_NEGATIVE)
                return _Number(_YEARS[letter], count, 19, _NORMAL if count < 4 else _EXCEEDS_PAD)
            case "M" | "L" | "Q" | "q" | "E" | "e" | "c" | "G":
                return self._text_or_number(letter, count)
            case "a":
                return _Text("AMPM_OF_DAY", {0: "AM", 1: "PM"}, {"AM": 0, "PM": 1})
            case "S":
                return _Fraction("NANO_OF_SECOND", count, count, _NOT_NEGATIVE)
            case "F":
                return _Number("ALIGNED_DAY_OF_WEEK_IN_MONTH")
            case "D":
                return _Number("DAY_OF_YEAR") if count == 1 else _Number("DAY_OF_YEAR", count, 3, _NOT_NEGATIVE)
            case "g":
                return _Number("MODIFIED_JULIAN_DAY", count)
            case "w":
                return _Number("WEEK_OF_WEEK_BASED_YEAR", count, 2, _NOT_NEGATIVE)
            case "W":
                return _Number("WEEK_OF_MONTH", 1, 2, _NOT_NEGATIVE)
            case "z":
                return _ZoneName("long" if count == 4 else "short")
            case "V":
                if count != 2:
                    raise TimeFormatError("Pattern letter count must be 2: V")
                return _ZoneId()
            case "O":
                if count not in (1, 4):
                    raise TimeFormatError("Pattern letter count must be 1 or 4: O")
                return _LocalizedOffset(count == 4)
            case "Z":
                if count == 4:
                    return _LocalizedOffset(full=True)
                return _Offset(*_OFFSETS[5], "Z") if count == 5 else _Offset(*_OFFSETS[2], "+0000")
            case "X":
                return _Offset(*_OFFSETS[count], "Z")
            case "x":
                return _Offset(*_OFFSETS[count], "+00" if count == 1 else "+0000" if count in (2, 4) else "+00:00")
        if letter in _PLAIN_NUMBERS:
            name = _PLAIN_NUMBERS[letter]
            return _Number(name) if count == 1 else _Number(name, 2, 2, _NOT_NEGATIVE)
        if letter in _WIDE_NUMBERS:
            return _Number(_WIDE_NUMBERS[letter], count, 19, _NOT_NEGATIVE)
        if letter in "Bv":
            raise TimeFormatError(f"Pattern letter is not supported: {letter}")
        raise TimeFormatError(f"Unknown pattern letter: {letter}")

    def _text_or_number(self, letter: str, count: int) -> _Element:
        if count <= 2 and letter != "G":
            if letter in "ec":
                if letter == "c" and count == 2:
                    raise TimeFormatError('Invalid pattern "cc"')
                return _Number("LOCAL_DAY_OF_WEEK", count, count, _NOT_NEGATIVE)
            if letter != "E":
                name = _TEXT_FIELDS[letter]
                return _Number(name) if count == 1 else _Number(name, 2, 2, _NOT_NEGATIVE)
        count = max(count, _SHORT)
        written = _words(letter, count)
        read = {text: number for number, text in written.items()}
        if self._root_too:
            read = {**_root_words(letter, count), **read}
        return _Text("ERA" if letter == "G" else _TEXT_FIELDS[letter], written, read)


class Formatter:
    """A compiled pattern."""

    def __init__(self, pattern: str, *, ignore_case: bool = False, root_too: bool = False) -> None:
        self._pattern = pattern
        self._ignore_case = ignore_case
        self._root = _Compiler(pattern, root_too=root_too).compile()

    def format(self, moment: Moment) -> str:
        """Raises TimeFormatError where the moment lacks what the pattern shows."""
        return self._root.format(moment) or ""

    def parse(self, text: str) -> Parsed:
        """The fields of the whole text, resolved. Raises TimeFormatError."""
        context = _Context(text, self._ignore_case)
        end = self._root.parse(context, 0)
        if end < 0:
            raise TimeFormatError(f"Text '{text}' could not be parsed at index {~end}")
        if end < len(text):
            raise TimeFormatError(f"Text '{text}' could not be parsed, unparsed text found at index {end}")
        try:
            context.parsed.resolve()
        except TimeFormatError as error:
            raise TimeFormatError(f"Text '{text}' could not be parsed: {error}") from error
        return context.parsed


@lru_cache(maxsize=256)
def formatter(pattern: str) -> Formatter:
    """For writing. Raises TimeFormatError if ``pattern`` is none."""
    return Formatter(pattern)


@lru_cache(maxsize=256)
def date_parser(pattern: str) -> Callable[[str], int]:
    """Reads dates (days since the epoch) in any case. Raises TimeFormatError, as what it gives does."""
    compiled = Formatter(pattern, ignore_case=True)

    def read(text: str) -> int:
        parsed = compiled.parse(text)
        if parsed.has_time():
            raise TimeFormatError("Date format contains time field.")
        if parsed.days is None:
            raise TimeFormatError(f"Unable to obtain a date from '{text}'")
        return parsed.days

    return read


@lru_cache(maxsize=256)
def partial_date_parser(pattern: str) -> Callable[[str], int]:
    """As ``date_parser``, but missing parts are those of 1970-01-01."""
    compiled = Formatter(pattern, ignore_case=True)

    def read(text: str) -> int:
        parsed = compiled.parse(text)
        if parsed.has_time():
            raise TimeFormatError("Date format contains time field.")
        return parsed.days if parsed.days is not None else _millis_of(parsed, UTC_ZONE, text) // _DAY_MILLIS

    return read


@lru_cache(maxsize=256)
def time_parser(pattern: str, *, ignore_case: bool = False) -> Callable[[str], int]:
    """Reads times of day (nanoseconds). Raises TimeFormatError, as what it gives does."""
    compiled = Formatter(pattern, ignore_case=ignore_case)

    def read(text: str) -> int:
        parsed = compiled.parse(text)
        if parsed.has_date():
            raise TimeFormatError("Time format contains date field.")
        if parsed.nanos is None:
            raise TimeFormatError(f"Unable to obtain a time from '{text}'")
        return parsed.nanos

    return read


# Timestamps

# ChronoField in its own order: the order in which a timestamp takes its fields over
_TIME_FIELDS = tuple(_TIME)
_DATE_FIELDS = (
    "DAY_OF_WEEK", "ALIGNED_DAY_OF_WEEK_IN_MONTH", "ALIGNED_DAY_OF_WEEK_IN_YEAR", "DAY_OF_MONTH", "DAY_OF_YEAR", "EPOCH_DAY",
    "ALIGNED_WEEK_OF_MONTH", "ALIGNED_WEEK_OF_YEAR", "MONTH_OF_YEAR", "PROLEPTIC_MONTH", "YEAR_OF_ERA", "YEAR", "ERA",
)  # fmt: skip


class _Clock:
    """The clock of a zone, set field by field as ZonedDateTime.with does it."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.offset = zone.offset_at(0)
        self._set(0)

    def _set(self, local_nanos: int) -> None:
        """A local time; one that does not exist is moved on, of two the one with the offset of before is taken."""
        before, after = self._zone.offsets_of(local_nanos // _SECOND)
        if before < after:
            local_nanos += (after - before) * _SECOND
            self.offset = after
        elif self.offset not in (before, after):
            self.offset = before
        self.days, self.nanos = divmod(local_nanos, NANOS_OF_DAY)

    @property
    def instant_nanos(self) -> int:
        return self.days * NANOS_OF_DAY + self.nanos - self.offset * _SECOND

    def set_instant(self, seconds: int) -> None:
        nano = self.nanos % _SECOND
        self.offset = self._zone.offset_at(seconds)
        self.days, self.nanos = divmod((seconds + self.offset) * _SECOND + nano, NANOS_OF_DAY)

    def set_time(self, name: str, value: int) -> None:
        if name in _RANGES:
            _checked(name, value)
        seconds, nano = divmod(self.nanos, _SECOND)
        now = _TIME[name](self.nanos)
        match name:
            case "NANO_OF_SECOND":
                nanos = seconds * _SECOND + value
            case "NANO_OF_DAY":
                nanos = value
            case "MICRO_OF_SECOND":
                nanos = seconds * _SECOND + value * 1000
            case "MICRO_OF_DAY":
                nanos = value * 1000
            case "MILLI_OF_SECOND":
                nanos = seconds * _SECOND + value * 1_000_000
            case "MILLI_OF_DAY":
                nanos = value * 1_000_000
            case "SECOND_OF_MINUTE" | "SECOND_OF_DAY":
                nanos = (seconds + value - now) * _SECOND + nano
            case "MINUTE_OF_HOUR" | "MINUTE_OF_DAY":
                nanos = (seconds + (value - now) * 60) * _SECOND + nano
            case "AMPM_OF_DAY":
                nanos = (seconds + (value - now) * 12 * 3600) * _SECOND + nano
            case _:
                full = {"CLOCK_HOUR_OF_AMPM": 12, "CLOCK_HOUR_OF_DAY": 24}.get(name)
                change = value % full - now % full if full else value - now
                nanos = (seconds + change * 3600) * _SECOND + nano
        self._set(self.days * NANOS_OF_DAY + nanos)

    def set_date(self, name: str, value: int) -> None:
        if name in _RANGES:
            _checked(name, value)
        year, month, day = date_of(self.days)
        now = _DATE[name](self.days)
        match name:
            case "EPOCH_DAY":
                days = value
            case "DAY_OF_MONTH":
                if value > month_length(year, month):
                    raise TimeFormatError(f"Invalid date '{year}-{month:02d}-{value}'")
                days = self.days + value - day
            case "DAY_OF_YEAR":
                if value > _year_length(year):
                    raise TimeFormatError(f"Invalid date 'DayOfYear 366' as '{year}' is not a leap year")
                days = self.days + value - now
            case "ALIGNED_WEEK_OF_MONTH" | "ALIGNED_WEEK_OF_YEAR":
                days = self.days + (value - now) * 7
            case "MONTH_OF_YEAR" | "PROLEPTIC_MONTH":
                year, index = divmod(year * 12 + month - 1 + value - now, 12)
                days = days_of(year, index + 1, min(day, month_length(year, index + 1)))
            case "YEAR" | "YEAR_OF_ERA" | "ERA":
                before_christ = value != now if name == "ERA" else name == "YEAR_OF_ERA" and year < 1
                year = value if name != "ERA" else year
                year = 1 - year if before_christ else year
                days = days_of(_checked("YEAR", year), month, min(day, month_length(year, month)))
            case _:  # the days of the week, of any kind
                days = self.days + value - now
        self._set(days * NANOS_OF_DAY + self.nanos)


def _millis_of(parsed: Parsed, zone: Zone, text: str) -> int:
    """The fields put one by one into the start of 1970."""
    offset = parsed.fields.get("OFFSET_SECONDS")
    clock = _Clock(parsed.zone or (zone if offset is None else offset_zone(offset)))
    for name in _TIME_FIELDS:
        if (value := parsed.get(name)) is not None:
            clock.set_time(name, value)
    for name in _DATE_FIELDS:
        if (value := parsed.get(name)) is not None:
            if name == "DAY_OF_YEAR" and value == 366:
                if (year := parsed.get("YEAR")) is None:
                    raise TimeFormatError("Leap day cannot be parsed without supplying the year field")
                clock.set_date("YEAR", year)
            clock.set_date(name, value)
    if parsed.days is not None and parsed.nanos is not None:
        local = parsed.days * NANOS_OF_DAY + parsed.nanos
        if offset is not None:
            clock.set_instant(local // _SECOND - offset)
        elif parsed.zone is not None:
            at = _Clock(parsed.zone)
            at.offset = parsed.zone.offsets_of(local // _SECOND)[0]
            at._set(local)
            clock.set_instant(at.instant_nanos // _SECOND)
    millis = clock.instant_nanos // 1_000_000
    if not -_MAX_LONG <= millis <= _MAX_LONG:
        raise TimeFormatError(f"Text '{text}' is too far from 1970 for a timestamp")
    return millis


_PLAIN = re.compile(r"yyyy|uuuu|MM|dd|HH|mm|ss|S{1,9}|X{1,3}|'[^'A-Za-z]+'|'[A-Za-z]+'|[^A-Za-z'{}#]")
_PLAIN_OFFSETS = {"X": r"(?:\d\d)?", "XX": r"\d\d", "XXX": r":\d\d"}


def _plain_expression(part: str) -> str:
    if part in ("[", "]"):  # possessive: a section that fits is never given back
        return "(?:" if part == "[" else ")?+"
    if part[0] == "X":
        return rf"(?P<X>Z|[+-]\d\d{_PLAIN_OFFSETS[part]})"
    if part[0].isalpha() and part[0].isascii():
        return rf"(?P<{part[0].replace('u', 'y')}>\d{{{len(part)}}})"
    return re.escape(part.strip("'"))


def _plain_offset(text: str) -> int | None:
    """Seconds; None where it must be looked at by the rules."""
    if text in ("Z", "z"):
        return 0
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    if hours > 17 or minutes > 59:
        return None
    return (hours * 3600 + minutes * 60) * (-1 if text[0] == "-" else 1)


def _plain_reader(pattern: str) -> Callable[[str, Zone], int | None] | None:
    """A quick reader for the usual patterns: a year of four digits, other numbers of fixed width, an offset, optional sections. It gives
    milliseconds, or None where a text must be read by the rules; None instead of it if the pattern is another."""
    parts = _PLAIN.findall(pattern)
    letters = [part[0].replace("u", "y") for part in parts if part[0].isascii() and part[0].isalpha()]
    if "".join(parts) != pattern or "''" in pattern or len(letters) != len(set(letters)):
        return None
    try:
        match = re.compile("".join(map(_plain_expression, parts)), re.ASCII | re.IGNORECASE).fullmatch
    except re.error:  # a section that does not end
        return None
    if not {"y", "M", "d"} <= set(letters):
        return None
    places = [letters.index(letter) if letter in letters else len(letters) for letter in "yMdHmsSX"]

    def read(text: str, zone: Zone) -> int | None:
        found = match(text)
        if found is None:
            return None
        groups = (*found.groups(), None)
        year, month, day, hour, minute, second, fraction, offset_text = [groups[place] for place in places]
        if year is None or month is None or day is None:
            return None
        late = (hour or "") > "23" or (minute or "") > "59" or (second or "") > "59"
        gap = (hour is None and minute) or (minute is None and second) or (second is None and fraction)
        offset = _plain_offset(offset_text) if offset_text is not None else None if zone.region else zone.fixed
        if late or gap or offset is None:
            return None
        try:
            days = python_date(int(year), int(month), int(day)).toordinal() - _EPOCH_ORDINAL
        except ValueError:
            return None
        seconds = ((days * 24 + int(hour or 0)) * 60 + int(minute or 0)) * 60 + int(second or 0) - offset
        return seconds * 1000 + (int(fraction.ljust(3, "0")[:3]) if fraction else 0)

    return read


_PARTIAL = re.compile(
    r"(\d{1,9})(?:-(\d\d?)(?:-(\d\d?))?)?(?:[T ](?:(\d\d?)(?::(\d\d?)(?::(\d\d?)(?:\.(\d{1,9}))?)?)?)?)?"
    r"(Z|[+-]\d\d:?\d\d|\s?[A-Za-z]+(?:/[A-Za-z_]+)*)?",
    re.ASCII,
)


def partial_timestamp(text: str) -> int:
    """Milliseconds since the epoch of an ISO timestamp, in part too (2024, 2024-05, 2024-05-01T10); UTC unless it names a zone.

    Raises:
        TimeFormatError: it is none.
    """
    found = _PARTIAL.fullmatch(text.strip())
    if found is None:
        raise TimeFormatError(f"Failed to parse timestamp '{text}'")
    year, month, day, hour, minute, second = (
        int(found[number] or (1 if number in (2, 3) else 0)) for number in range(1, 7)
    )
    parsed = Parsed({"YEAR": year, "MONTH_OF_YEAR": month, "DAY_OF_MONTH": day, "HOUR_OF_DAY": hour})
    parsed.fields |= {"MINUTE_OF_HOUR": minute, "SECOND_OF_MINUTE": second}
    parsed.fields["NANO_OF_SECOND"] = int((found[7] or "").ljust(9, "0"))
    parsed.resolve()
    return _millis_of(parsed, zone_of((found[8] or "Z").strip()), text)


@lru_cache(maxsize=256)
def timestamp_parser(pattern: str) -> Callable[[str, Zone], int]:
    """Reads timestamps (milliseconds since the epoch) in any case; the zone is used where the text names none. Missing parts are
    those of 1970-01-01. Raises TimeFormatError, as what it gives does."""
    compiled = Formatter(pattern, ignore_case=True, root_too=True)
    quick = _plain_reader(pattern)

    def read(text: str, zone: Zone) -> int:
        if quick is not None and (millis := quick(text, zone)) is not None:
            return millis
        return _millis_of(compiled.parse(text), zone, text)

    return read


def timestamp_text(millis: int) -> str:
    """A TIMESTAMP as CAST writes it: 1970-01-01T00:00:00.000."""
    return formatter("yyyy-MM-dd'T'HH:mm:ss.SSS").format(Moment.at_millis(millis))


def date_text(days: int) -> str:
    """A DATE as CAST writes it: 1970-01-01."""
    return formatter("yyyy-MM-dd").format(Moment(days=days))


def time_text(millis: int) -> str:
    """A TIME as CAST writes it: 00:00, 00:00:01 or 00:00:01.001."""
    seconds, rest = divmod(millis, 1000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
    if seconds % 60 or rest:
        text += f":{seconds % 60:02d}"
    return text + (f".{rest:03d}" if rest else "")
