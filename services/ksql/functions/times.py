"""TIME (milliseconds of the day), and adding units of time to times, dates and timestamps."""

from __future__ import annotations

import calendar
from datetime import UTC, timedelta

from services.ksql.functions.scalar import scalar
from services.ksql.functions.time_parsing import parser
from services.ksql.functions.time_patterns import formatter
from services.ksql.functions.time_zones import at_millis, to_millis

_KIND = "DATE / TIME"
_DAY = 86_400_000
_MILLIS = {"MILLISECOND": 1, "SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": _DAY, "WEEK": 7 * _DAY}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12, "DECADE": 120, "CENTURY": 1200}


@scalar("FORMAT_TIME", "TIME, STRING -> STRING", category=_KIND)
def format_time(time: int, formatPattern: str) -> str:  # noqa: N803
    """A time of day as text by a Java pattern."""
    return formatter(formatPattern)(at_millis(time))


@scalar("PARSE_TIME", "STRING, STRING -> TIME", category=_KIND)
def parse_time(formattedTime: str, formatPattern: str) -> int:  # noqa: N803
    """The time of day of a text by a Java pattern."""
    moment = parser(formatPattern)(formattedTime, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return (moment - midnight) // timedelta(milliseconds=1)


def _plus(unit: str, count: int, millis: int) -> int:
    name = unit.upper().removesuffix("S")
    name = {"CENTURIE": "CENTURY"}.get(name, name)
    if name in _MILLIS:
        return millis + count * _MILLIS[name]
    moment = at_millis(millis)
    months = moment.year * 12 + moment.month - 1 + count * _MONTHS[name]
    year, month = divmod(months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return to_millis(moment.replace(year=year, month=month + 1, day=day))


@scalar("TIMESTAMPADD", "STRING, INTEGER, TIMESTAMP -> TIMESTAMP", category=_KIND)
def timestamp_add(unit: str, interval: int, timestamp: int) -> int:
    """A timestamp so many units later."""
    return _plus(unit, interval, timestamp)


@scalar("TIMESTAMPSUB", "STRING, INTEGER, TIMESTAMP -> TIMESTAMP", category=_KIND)
def timestamp_sub(unit: str, interval: int, timestamp: int) -> int:
    """A timestamp so many units earlier."""
    return _plus(unit, -interval, timestamp)


@scalar("DATEADD", "STRING, INTEGER, DATE -> DATE", category=_KIND)
def date_add(unit: str, interval: int, date: int) -> int:
    """A date so many units later."""
    return _plus(unit, interval, date * _DAY) // _DAY


@scalar("DATESUB", "STRING, INTEGER, DATE -> DATE", category=_KIND)
def date_sub(unit: str, interval: int, date: int) -> int:
    """A date so many units earlier."""
    return _plus(unit, -interval, date * _DAY) // _DAY


@scalar("TIMEADD", "STRING, INTEGER, TIME -> TIME", category=_KIND)
def time_add(unit: str, interval: int, time: int) -> int:
    """A time of day so many units later, past midnight too."""
    return _plus(unit, interval, time) % _DAY


@scalar("TIMESUB", "STRING, INTEGER, TIME -> TIME", category=_KIND)
def time_sub(unit: str, interval: int, time: int) -> int:
    """A time of day so many units earlier, past midnight too."""
    return _plus(unit, -interval, time) % _DAY
