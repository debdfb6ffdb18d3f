"""DATE (days since the epoch) and TIMESTAMP (milliseconds since the epoch): reading, writing, conversion."""

from __future__ import annotations

import time

from services.ksql.functions.java_time import Moment, date_parser, formatter, timestamp_parser
from services.ksql.functions.scalar import scalar
from services.ksql.functions.time_zones import zone_of

_KIND = "DATE / TIME"
_DAY = 86_400_000


@scalar("UNIX_TIMESTAMP", "-> BIGINT", category=_KIND)
def now_millis() -> int:
    """The current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


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
