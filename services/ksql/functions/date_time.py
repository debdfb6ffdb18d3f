"""DATE (days since the epoch), TIME (ms of the day) and TIMESTAMP (ms since the epoch): reading, writing, conversion, addition."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from services.ksql.functions.definitions import scalar
from services.ksql.functions.java_time import (
    Moment,
    date_of,
    date_parser,
    days_of,
    formatter,
    month_length,
    partial_date_parser,
    time_parser,
    timestamp_parser,
    zone_of,
)

_KIND = "DATE / TIME"
_DAY = 86_400_000
#: milliseconds; None: the machine's clock
_clock: ContextVar[int | None] = ContextVar("clock", default=None)


@scalar("UNIX_TIMESTAMP", "-> BIGINT", category=_KIND)
def now_millis() -> int:
    """The current time in milliseconds since the epoch."""
    now = _clock.get()
    return time.time_ns() // 1_000_000 if now is None else now


@contextmanager
def clock_at(now: int) -> Iterator[None]:
    """Statements that run inside have this time, in milliseconds, in place of the machine's."""
    token = _clock.set(now)
    try:
        yield
    finally:
        _clock.reset(token)


@scalar("UNIX_TIMESTAMP", "TIMESTAMP -> BIGINT", category=_KIND)
@scalar("FROM_UNIXTIME", "BIGINT -> TIMESTAMP", category=_KIND)
@scalar("UNIX_DATE", "DATE -> INTEGER", category=_KIND)
@scalar("FROM_DAYS", "INTEGER -> DATE", category=_KIND)
def same_number(value: int) -> int:
    """The number behind a date or time, or the date or time of a number."""
    return value


@scalar("UNIX_DATE", "-> INTEGER", category=_KIND)
def today() -> int:
    """The current date in days since the epoch."""
    return now_millis() // _DAY


@scalar("FORMAT_TIMESTAMP", "TIMESTAMP, STRING -> STRING", "TIMESTAMP, STRING, STRING -> STRING", category=_KIND)
@scalar("TIMESTAMPTOSTRING", "BIGINT, STRING -> STRING", "BIGINT, STRING, STRING -> STRING", category=_KIND)
def format_timestamp(timestamp: int, formatPattern: str, timeZone: str = "UTC") -> str:  # noqa: N803
    """A timestamp as text by a Java pattern, in UTC or the zone given."""
    return formatter(formatPattern).format(Moment.at_millis(timestamp, zone_of(timeZone)))


@scalar("PARSE_TIMESTAMP", "STRING, STRING -> TIMESTAMP", "STRING, STRING, STRING -> TIMESTAMP", category=_KIND)
@scalar("STRINGTOTIMESTAMP", "STRING, STRING -> BIGINT", "STRING, STRING, STRING -> BIGINT", category=_KIND)
def parse_timestamp(formattedTimestamp: str, formatPattern: str, timeZone: str = "UTC") -> int:  # noqa: N803
    """The timestamp of a text by a Java pattern, in UTC or the zone given."""
    return timestamp_parser(formatPattern)(formattedTimestamp, zone_of(timeZone))


@scalar("FORMAT_DATE", "DATE, STRING -> STRING", category=_KIND)
@scalar("DATETOSTRING", "INTEGER, STRING -> STRING", category=_KIND)
def format_date(date: int, formatPattern: str) -> str:  # noqa: N803
    """A date as text by a Java pattern."""
    return formatter(formatPattern).format(Moment(days=date))


@scalar("PARSE_DATE", "STRING, STRING -> DATE", category=_KIND)
def parse_partial_date(formattedDate: str, formatPattern: str) -> int:  # noqa: N803
    """The date of a text by a Java pattern; what the pattern lacks is that of 1970-01-01."""
    return partial_date_parser(formatPattern)(formattedDate)


@scalar("STRINGTODATE", "STRING, STRING -> INTEGER", category=_KIND)
def parse_date(formattedDate: str, formatPattern: str) -> int:  # noqa: N803
    """The date of a text by a Java pattern."""
    return date_parser(formatPattern)(formattedDate)


@scalar("CONVERT_TZ", "TIMESTAMP, STRING, STRING -> TIMESTAMP", category=_KIND)
def convert_tz(timestamp: int, fromTimeZone: str, toTimeZone: str) -> int:  # noqa: N803
    """The wall clock of one zone as that of another."""
    here = zone_of(fromTimeZone).offset_at(timestamp // 1000)
    there = zone_of(toTimeZone).offset_at(timestamp // 1000)
    return timestamp + (there - here) * 1000


_MILLIS = {"MILLISECOND": 1, "SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": _DAY, "WEEK": 7 * _DAY}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12, "DECADE": 120, "CENTURY": 1200}


@scalar("FORMAT_TIME", "TIME, STRING -> STRING", category=_KIND)
def format_time(time: int, formatPattern: str) -> str:  # noqa: N803
    """A time of day as text by a Java pattern."""
    return formatter(formatPattern).format(Moment(nanos=time * 1_000_000))


@scalar("PARSE_TIME", "STRING, STRING -> TIME", category=_KIND)
def parse_time(formattedTime: str, formatPattern: str) -> int:  # noqa: N803
    """The time of day of a text by a Java pattern."""
    return time_parser(formatPattern, ignore_case=True)(formattedTime) // 1_000_000


def _plus(unit: str, count: int, millis: int) -> int:
    name = unit.upper().removesuffix("S")
    name = {"CENTURIE": "CENTURY"}.get(name, name)
    if name in _MILLIS:
        return millis + count * _MILLIS[name]
    days, rest = divmod(millis, _DAY)
    year, month, day = date_of(days)
    year, index = divmod(year * 12 + month - 1 + count * _MONTHS[name], 12)
    return days_of(year, index + 1, min(day, month_length(year, index + 1))) * _DAY + rest


@scalar("TIMESTAMPADD", "INTERVALUNIT, INTEGER, TIMESTAMP -> TIMESTAMP", category=_KIND)
def timestamp_add(unit: str, interval: int, timestamp: int) -> int:
    """A timestamp so many units later."""
    return _plus(unit, interval, timestamp)


@scalar("TIMESTAMPSUB", "INTERVALUNIT, INTEGER, TIMESTAMP -> TIMESTAMP", category=_KIND)
def timestamp_sub(unit: str, interval: int, timestamp: int) -> int:
    """A timestamp so many units earlier."""
    return _plus(unit, -interval, timestamp)


@scalar("DATEADD", "INTERVALUNIT, INTEGER, DATE -> DATE", category=_KIND)
def date_add(unit: str, interval: int, date: int) -> int:
    """A date so many units later."""
    return _plus(unit, interval, date * _DAY) // _DAY


@scalar("DATESUB", "INTERVALUNIT, INTEGER, DATE -> DATE", category=_KIND)
def date_sub(unit: str, interval: int, date: int) -> int:
    """A date so many units earlier."""
    return _plus(unit, -interval, date * _DAY) // _DAY


@scalar("TIMEADD", "INTERVALUNIT, INTEGER, TIME -> TIME", category=_KIND)
def time_add(unit: str, interval: int, time: int) -> int:
    """A time of day so many units later, past midnight too."""
    return _plus(unit, interval, time) % _DAY


@scalar("TIMESUB", "INTERVALUNIT, INTEGER, TIME -> TIME", category=_KIND)
def time_sub(unit: str, interval: int, time: int) -> int:
    """A time of day so many units earlier, past midnight too."""
    return _plus(unit, -interval, time) % _DAY
