"""TIME (milliseconds of the day), and adding units of time to times, dates and timestamps."""

from __future__ import annotations

from services.ksql.functions.java_time import Moment, date_of, days_of, formatter, month_length, time_parser
from services.ksql.functions.scalar import scalar

_KIND = "DATE / TIME"
_DAY = 86_400_000
_MILLIS = {"MILLISECOND": 1, "SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": _DAY, "WEEK": 7 * _DAY}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12, "DECADE": 120, "CENTURY": 1200}


@scalar("FORMAT_TIME", "TIME, STRING -> STRING", category=_KIND)
def format_time(time: int, formatPattern: str) -> str:  # noqa: N803
    """A time of day as text by a Java pattern."""
    return formatter(formatPattern).format(Moment(nanos=time * 1_000_000))


@scalar("PARSE_TIME", "STRING, STRING -> TIME", category=_KIND)
def parse_time(formattedTime: str, formatPattern: str) -> int:  # noqa: N803
    """The time of day of a text by a Java pattern."""
    return time_parser(formatPattern)(formattedTime) // 1_000_000


def _plus(unit: str, count: int, millis: int) -> int:
    name = unit.upper().removesuffix("S")
    name = {"CENTURIE": "CENTURY"}.get(name, name)
    if name in _MILLIS:
        return millis + count * _MILLIS[name]
    days, rest = divmod(millis, _DAY)
    year, month, day = date_of(days)
    year, index = divmod(year * 12 + month - 1 + count * _MONTHS[name], 12)
    return days_of(year, index + 1, min(day, month_length(year, index + 1))) * _DAY + rest


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
