"""Reading texts by Java's date patterns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from services.ksql.functions.time_patterns import DAYS, MONTHS, WRITERS, tokens
from services.ksql.functions.time_zones import zone_of


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


def _expression(letter: str, width: int, *, fixed: bool) -> str:  # noqa: PLR0911 - one answer per letter
    if letter in "ML" and width >= 3:
        return "|".join(MONTHS if width >= 4 else [m[:3] for m in MONTHS])
    if letter == "E":
        return "|".join(DAYS if width >= 4 else [d[:3] for d in DAYS])
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
        int(text) if text.isdigit() else next(i for i, m in enumerate(MONTHS, 1) if m.lower().startswith(text.lower()))
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
    parts = tokens(pattern)
    following = [*(letter for letter, _, _ in parts[1:]), ""]
    regex = re.compile(
        "".join(
            re.escape(text) if not letter else f"({_expression(letter, width, fixed=next_one in WRITERS)})"
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
