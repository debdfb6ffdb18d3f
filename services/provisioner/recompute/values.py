"""Records of the source topics as ksqlDB reads them (observed on 8.1): lenient with numbers, strict with texts.

What it cannot read it skips; so does this.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

_DECIMAL = re.compile(r"[+-]?\d+")


class Unreadable(ValueError):
    """A record that the pipeline skips; the message says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """A page view or a login: ``group`` is its source or device, None if that is null. ``time`` in ms since the epoch."""

    time: int
    user: int | None
    group: str | None


@dataclass(frozen=True, slots=True)
class User:
    """A user without a null column."""

    age: int
    gender: str
    country: str
    subscription: str


def read_event(value: bytes | None, time_field: str, group_field: str, *texts: str) -> Event:
    """The event of one record; ``texts`` are further columns that must be readable though nobody uses them.

    Raises:
        Unreadable: null, malformed, or without an event time.
    """
    if value is None:
        raise Unreadable("null value")
    row = _columns(value)
    time = _integer(row.get(time_field.upper()), 64)
    user = _integer(row.get("USER_ID"), 32)
    group = _text(row.get(group_field.upper()))
    for name in texts:
        _text(row.get(name.upper()))
    if time is None or time < 0:
        raise Unreadable("no event time")
    return Event(time, user, group)


def read_user(value: bytes | None) -> User | None:
    """The user, or None if it is deleted or a column is null.

    Raises:
        Unreadable: malformed; the version before it stays.
    """
    if value is None:
        return None
    row = _columns(value)
    age = _integer(row.get("AGE"), 32)
    gender, country, subscription = (_text(row.get(name)) for name in ("GENDER", "COUNTRY", "SUBSCRIPTION"))
    if age is None or gender is None or country is None or subscription is None:
        return None
    return User(age, gender, country, subscription)


def _columns(value: bytes) -> dict[str, Any]:
    """The first JSON object of the bytes, by upper-case name; of names that differ in case only the upper-case one wins."""
    try:
        row, _ = _DECODER.raw_decode(value.decode().lstrip(" \t\r\n"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("malformed") from error
    if not isinstance(row, dict):
        raise Unreadable("not an object")
    columns = {name.upper(): item for name, item in row.items()}
    columns.update((name, item) for name, item in row.items() if name.isupper())
    return columns


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _integer(value: Any, bits: int) -> int | None:
    """Numbers are cut towards zero and wrap round; a text must be a whole number that fits."""
    half = 1 << (bits - 1)
    if value is None:
        return None
    if isinstance(value, str) and _DECIMAL.fullmatch(value) and -half <= int(value) < half:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable("not a number")
    return (int(value) + half) % (2 * half) - half


def _text(value: Any) -> str | None:
    """Any JSON value becomes a text, a list in ksqlDB's own way."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join("null" if item is None else str(_text(item)) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
