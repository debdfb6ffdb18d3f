"""Java's date patterns (yyyy-MM-dd'T'HH:mm:ss.SSS and the like): formatting and parsing.

Times are in milliseconds since the epoch, UTC unless a zone is given or the text names one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']")


@dataclass(slots=True)
class _Fields:
    """What a text said; missing parts are those of the epoch."""

    year: int = 1970
    month: int = 1
    day: int = 1
    day_of_year: int | None = None
    hour: int = 0
    minute: int = 0
    second: int = 0
    nano: int = 0
    afternoon: bool | None = None
    zone: tzinfo | None = None


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


def _offset(moment: datetime, *, colon: bool, zulu: bool) -> str:
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    if zulu and minutes == 0:
        return "Z"
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{':' if colon else ''}{rest:02d}"


def _zone_name(moment: datetime) -> str:
    return moment.tzname() or "UTC"


def _number(get: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
    return lambda moment, width: f"{get(moment):0{width}d}"


def _text(names: tuple[str, ...], get: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
    return lambda moment, width: names[get(moment)] if width >= 4 else names[get(moment)][:3]


def _year(moment: datetime, width: int) -> str:
    return f"{moment.year % 100:02d}" if width == 2 else f"{moment.year:0{width}d}"


def _month(moment: datetime, width: int) -> str:
    return f"{moment.month:0{width}d}" if width < 3 else _text(_MONTHS, lambda m: m.month - 1)(moment, width)


def _zone_id(moment: datetime, _width: int) -> str:
    return getattr(moment.tzinfo, "key", None) or _offset(moment, colon=True, zulu=True)


_WRITERS: dict[str, Callable[[datetime, int], str]] = {
    "y": _year,
    "u": _year,
    "M": _month,
    "L": _month,
    "d": _number(lambda m: m.day),
    "D": _number(lambda m: m.timetuple().tm_yday),
    "Q": _number(lambda m: (m.month + 2) // 3),
    "E": _text(_DAYS, lambda m: m.weekday()),
    "e": _number(lambda m: m.isoweekday()),
    "H": _number(lambda m: m.hour),
    "k": _number(lambda m: m.hour or 24),
    "h": _number(lambda m: m.hour % 12 or 12),
    "K": _number(lambda m: m.hour % 12),
    "m": _number(lambda m: m.minute),
    "s": _number(lambda m: m.second),
    "S": lambda moment, width: f"{moment.microsecond * 1000:09d}"[:width],
    "n": _number(lambda m: m.microsecond * 1000),
    "a": lambda moment, _width: "AM" if moment.hour < 12 else "PM",
    "z": lambda moment, _width: _zone_name(moment),
    "V": _zone_id,
    "Z": lambda moment, width: _offset(moment, colon=width >= 5, zulu=width >= 5),
    "X": lambda moment, width: _offset(moment, colon=width >= 3, zulu=True)[: 3 if width == 1 else None],
    "x": lambda moment, width: _offset(moment, colon=width >= 3, zulu=False)[: 3 if width == 1 else None],
}


def _tokens(pattern: str) -> list[tuple[str, int, str]]:
    """(letter, width, literal) for each part; a literal has the letter ''."""
    parts: list[tuple[str, int, str]] = []
    position = 0
    while position < len(pattern):
        found = _TOKEN.match(pattern, position)
        if found is None:
            raise ValueError(f"Pattern ends with an incomplete string literal: {pattern}")
        position = found.end()
        if found[2]:
            if found[2] not in _WRITERS:
                raise ValueError(f"Unknown pattern letter: {found[2]}")
            parts.append((found[2], len(found[0]), ""))
        elif found[0] not in "[]":
            parts.append(
                (
                    "",
                    0,
                    "'"
                    if found[0] == "''"
                    else (found[1] or "").replace("''", "'")
                    if found[0][0] == "'"
                    else found[0],
                )
            )
    return parts


@lru_cache(maxsize=256)
def formatter(pattern: str) -> Callable[[datetime], str]:
    """A function that writes a datetime by ``pattern``.

    Raises:
        ValueError: the pattern is not one.
    """
    parts = _tokens(pattern)

    def write(moment: datetime) -> str:
        return "".join(text if not letter else _WRITERS[letter](moment, width) for letter, width, text in parts)

    return write


def _expression(letter: str, width: int, *, fixed: bool) -> str:  # noqa: PLR0911 - one answer per letter
    if letter in "ML" and width >= 3:
        return "|".join(_MONTHS if width >= 4 else [m[:3] for m in _MONTHS])
    if letter == "E":
        return "|".join(_DAYS if width >= 4 else [d[:3] for d in _DAYS])
    if letter == "a":
        return "AM|PM|am|pm"
    if letter in "zV":
        return r"[A-Za-z_/]+(?:[+-]\d+)?|[+-]\d\d:?\d\d"
    if letter in "ZXx":
        return r"Z|[+-]\d\d(?::?\d\d)?"
    if letter in "yu" and width != 2:
        return rf"\d{{{width}}}" if fixed else rf"\d{{{min(width, 4)},9}}"
    return rf"\d{{{width}}}" if width > 1 else r"\d{1,9}" if letter != "d" else r"\d{1,2}"


def _month_number(text: str) -> int:
    return (
        int(text) if text.isdigit() else next(i for i, m in enumerate(_MONTHS, 1) if m.lower().startswith(text.lower()))
    )


def _set(fields: _Fields, letter: str, width: int, text: str) -> None:
    match letter:
        case "y" | "u":
            fields.year = 2000 + int(text) if width == 2 else int(text)
        case "M" | "L":
            fields.month = _month_number(text)
        case "d":
            fields.day = int(text)
        case "D":
            fields.day_of_year = int(text)
        case "H" | "h" | "K" | "k":
            fields.hour = int(text) % (12 if letter in "hK" else 24 if letter == "k" else 99)
        case "m":
            fields.minute = int(text)
        case "s":
            fields.second = int(text)
        case "S":
            fields.nano = int(text.ljust(9, "0"))
        case "n":
            fields.nano = int(text)
        case "a":
            fields.afternoon = text.upper() == "PM"
        case "z" | "V" | "Z" | "X" | "x":
            fields.zone = zone_of(text)
        case _:
            pass


@lru_cache(maxsize=256)
def parser(pattern: str) -> Callable[[str, tzinfo], datetime]:
    """A function that reads a text by ``pattern``; the zone given is used where the text names none.

    Raises:
        ValueError: the pattern is not one; the function raises it for a text that does not fit.
    """
    parts = _tokens(pattern)
    following = [*(letter for letter, _, _ in parts[1:]), ""]
    regex = re.compile(
        "".join(
            re.escape(text) if not letter else f"({_expression(letter, width, fixed=next_one in _WRITERS)})"
            for (letter, width, text), next_one in zip(parts, following, strict=True)
        ),
        re.IGNORECASE,
    )
    letters = [(letter, width) for letter, width, _ in parts if letter]

    def read(text: str, zone: tzinfo = UTC, /) -> datetime:
        found = regex.fullmatch(text)
        if found is None:
            raise ValueError(f"Text '{text}' could not be parsed with the pattern {pattern}")
        fields = _Fields()
        for (letter, width), part in zip(letters, found.groups(), strict=True):
            _set(fields, letter, width, part)
        if fields.afternoon:
            fields.hour += 12
        moment = datetime(
            fields.year,
            fields.month,
            fields.day,
            fields.hour,
            fields.minute,
            fields.second,
            fields.nano // 1000,
            fields.zone or zone,
        )
        if fields.day_of_year is not None:
            moment = moment.replace(month=1, day=1) + timedelta(days=fields.day_of_year - 1)
        return moment

    return read


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
