"""Java's date patterns (yyyy-MM-dd'T'HH:mm:ss.SSS and the like): their parts, and writing by them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

MONTHS = (
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
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']")


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
    return f"{moment.month:0{width}d}" if width < 3 else _text(MONTHS, lambda m: m.month - 1)(moment, width)


def _zone_id(moment: datetime, _width: int) -> str:
    return getattr(moment.tzinfo, "key", None) or _offset(moment, colon=True, zulu=True)


WRITERS: dict[str, Callable[[datetime, int], str]] = {
    "y": _year,
    "u": _year,
    "M": _month,
    "L": _month,
    "d": _number(lambda m: m.day),
    "D": _number(lambda m: m.timetuple().tm_yday),
    "Q": _number(lambda m: (m.month + 2) // 3),
    "E": _text(DAYS, lambda m: m.weekday()),
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


def tokens(pattern: str) -> list[tuple[str, int, str]]:
    """(letter, width, literal) for each part; a literal has the letter ''."""
    parts: list[tuple[str, int, str]] = []
    position = 0
    while position < len(pattern):
        found = _TOKEN.match(pattern, position)
        if found is None:
            raise ValueError(f"Pattern ends with an incomplete string literal: {pattern}")
        position = found.end()
        if found[2]:
            if found[2] not in WRITERS:
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
    parts = tokens(pattern)

    def write(moment: datetime) -> str:
        return "".join(text if not letter else WRITERS[letter](moment, width) for letter, width, text in parts)

    return write
