"""Durations of windows, and how a window clause writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

_MILLISECOND = timedelta(milliseconds=1)

#: units of ksqlDB's grammar, the largest first
_UNITS = (
    ("DAY", timedelta(days=1)),
    ("HOUR", timedelta(hours=1)),
    ("MINUTE", timedelta(minutes=1)),
    ("SECOND", timedelta(seconds=1)),
    ("MILLISECOND", _MILLISECOND),
)


def require_whole_milliseconds(duration: timedelta) -> timedelta:
    """The duration itself, if it is positive and whole milliseconds; ksqlDB knows no finer time.

    Raises:
        ValueError: it is not.
    """
    if duration <= timedelta(0) or duration % _MILLISECOND:
        raise ValueError(f"{duration} is not a positive number of whole milliseconds")
    return duration


#: for settings: the only durations that a window clause can hold
WindowDuration = Annotated[timedelta, AfterValidator(require_whole_milliseconds)]


def milliseconds(duration: timedelta) -> int:
    """How many milliseconds ``duration`` is."""
    return duration // _MILLISECOND


def to_ksql(duration: timedelta) -> str:
    """E.g. ``1 MINUTE``, ``90 SECONDS``: in the largest unit that leaves no rest."""
    require_whole_milliseconds(duration)
    name, unit = next((name, unit) for name, unit in _UNITS if not duration % unit)
    count = duration // unit
    return f"{count} {name}" if count == 1 else f"{count} {name}S"
