"""The queries to Pinot: one per chart, parameterised, bounded in time and in rows.

Every frame has ``window_start`` and ``window_end`` as UTC times, sorted by them, and ``open``: whether the window had
not ended when the question was asked, so that its numbers still grow. A range of more than a day is asked for in coarser intervals:
each number is then the mean of the windows that begin in the interval (``Span.interval_ms``).

``attrs["cut"]``: the limit of rows was reached, so the oldest rows of the range are missing. ``attrs["interval_ms"]``: the interval, 0 for
single windows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import httpx
import pandas as pd

from services.dashboard.errors import PinotUnavailable, QueryFailed, TableMissing
from services.dashboard.settings import Settings
from shared.errors import PagePulseError
from shared.sessions import current_sessions
from shared.sql_files import load_sql

#: with a margin: 1,440 intervals of 6 sources, or five windows of all countries there are
ROWS: Final = {
    "country": 1_000,
    "leaders": 10_000,
    "tumbling": 10_000,
    "hopping": 10_000,
    "sessions": 10_000,
    "devices": 10_000,
    "pages": 10_000,
}

#: how far apart the windows of these queries begin, ms; they can be asked for in coarser intervals (``<name>_coarse.sql``)
ADVANCE_MS: Final = {"tumbling": 60_000, "hopping": 60_000, "devices": 60_000, "leaders": 300_000}
#: minutes of an interval; a chart has at most so many intervals as a day has minutes
_INTERVALS_MIN: Final = (5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440)
_MOST_INTERVALS: Final = 1_440

#: between two columns, not within a call
_COMMA: Final = re.compile(r",(?![^(]*\))")
#: columns of totals over windows. Pinot takes an alias for its expression in WHERE too, so it must differ from the columns there.
_OF_TOTALS: Final = {"views": "view_count", "first_start": "window_start", "last_end": "window_end"}
#: Pinot's codes for "there is no such table" and "nothing serves it yet"
_NO_TABLE: Final = {190, 410}
#: characters of a reason that Pinot gives
_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Span:
    """A range of event time, epoch milliseconds; ``now`` divides complete windows from open ones."""

    since: int
    now: int
    until: int

    @classmethod
    def last(cls, seconds: float, now: float) -> Span:
        """The last ``seconds`` before ``now`` (epoch seconds), with the windows that have begun to be filled."""
        # a producer's clock may run a little ahead of ours
        return cls(int((now - seconds) * 1000), int(now * 1000), int((now + 60) * 1000))

    def before(self) -> Span:
        """The period of the same length just before this one; all of its windows count as they are now."""
        length = min(self.until, self.now) - self.since
        return Span(self.since - length, self.now, self.since)

    @property
    def length_ms(self) -> int:
        return min(self.until, self.now) - self.since

    @property
    def interval_ms(self) -> int:
        """Milliseconds of an interval on charts of this span; 0: single windows, up to a day (and the minute that is ahead)."""
        minutes = self.length_ms / 60_000
        if minutes <= _MOST_INTERVALS + 1:
            return 0
        fits = (each for each in _INTERVALS_MIN if minutes / each <= _MOST_INTERVALS)
        return 60_000 * next(fits, _INTERVALS_MIN[-1])


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a span."""

    views: int
    sessions: int


def statement(name: str) -> str:
    """The statement in ``sql/<name>.sql``."""
    return load_sql(__package__, name)


def question(name: str, span: Span, **others: Any) -> tuple[str, dict[str, Any]]:
    """The statement for ``name`` over ``span``, single windows or coarser intervals, and its values."""
    values: dict[str, Any] = {"since": span.since, "until": span.until, "limit": ROWS.get(name, 1), **others}
    advance = ADVANCE_MS.get(name)
    if advance is None or not span.interval_ms:
        return statement(name), values
    interval = max(span.interval_ms, advance)
    # whole intervals: the first one would otherwise have fewer windows than it is divided by
    values |= {"since": span.since - span.since % interval, "interval": interval, "windows": interval // advance}
    return statement(f"{name}_coarse"), values


def rendered(name: str, span: Span, **others: Any) -> str:
    """The statement as it is sent, with its values in place: for people to read, copy and run."""
    return filled(*question(name, span, **others))


def filled(sql: str, values: Mapping[str, Any]) -> str:
    """``sql`` with its parameters in place. Pinot takes no values beside a statement: texts are quoted, whatever is in them."""
    return sql % {name: _literal(value) for name, value in values.items()}


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_literal, value)) or "''"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


class Warehouse:
    """The tables of the pipeline, as frames. Every method raises a PagePulseError on failure."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    @classmethod
    def connect(cls, settings: Settings) -> Warehouse:
        """Connects lazily; the connections are shared by threads."""
        return cls(httpx.Client(base_url=settings.pinot_broker_url, timeout=settings.query_timeout.total_seconds()))

    def countries(self, span: Span) -> pd.DataFrame:
        """country, window_start, window_end, view_count, user_count, average_age, open; the newest windows of the span"""
        return self._windows("country", span)

    def leaders(self, span: Span, countries: Sequence[str]) -> pd.DataFrame:
        """As ``countries``: all windows of the span, of at most ten countries."""
        return self._windows("leaders", span, countries=list(countries[:10]))

    def tumbling(self, span: Span) -> pd.DataFrame:
        """source, window_start, window_end, view_count, user_count, open"""
        return self._windows("tumbling", span)

    def hopping(self, span: Span) -> pd.DataFrame:
        """source, window_start, window_end, view_count, user_count, open"""
        return self._windows("hopping", span)

    def sessions(self, span: Span) -> pd.DataFrame:
        """source, window_start, window_end, view_count, user_count, updated_at, open; no session twice."""
        return without_superseded(self._windows("sessions", span))

    def devices(self, span: Span) -> pd.DataFrame:
        """device, window_start, window_end, session_count, user_count, open"""
        return self._windows("devices", span)

    def pages(self, span: Span) -> pd.DataFrame:
        """page, view_count, window_start, window_end, open: one row per page, with its views of the span and its first and last window.
        If it is cut, the pages with the fewest views are missing."""
        found = self._windows("pages", span).astype({"view_count": "int64"})
        found.attrs["ranked"] = True
        return found

    def totals(self, span: Span) -> Totals:
        """Page views and sessions of a span. Both may be added up over windows; distinct users may not."""
        return Totals(views=self.views_total(span), sessions=self.sessions_total(span))

    def views_total(self, span: Span) -> int:
        """Page views of a span."""
        return int(self._one("views_total", span) or 0)

    def sessions_total(self, span: Span) -> int:
        """Sessions that began in a span."""
        return int(self._one("sessions_total", span) or 0)

    def newest_event(self, span: Span) -> int | None:
        """The event time of the newest page view in a span, epoch milliseconds; None if there is none."""
        newest = self._one("newest", span)
        return None if newest is None else int(newest)

    def _one(self, name: str, span: Span) -> float | None:
        """One number; Pinot's SUM of no rows is 0, its MAX minus infinity."""
        frame = self._rows(rendered(name, span))
        value = float(frame.to_numpy()[0, 0]) if len(frame) else 0.0
        return value if isfinite(value) and value > 0 else None

    def _windows(self, name: str, span: Span, **others: Any) -> pd.DataFrame:
        sql, values = question(name, span, **others)
        frame = self._rows(filled(sql, values)).rename(columns=_OF_TOTALS)
        interval = values.get("interval", 0)
        if interval:
            starts = frame.pop("interval_start").astype("int64")
            frame = frame.round(2).assign(window_start=starts, window_end=starts + interval)
        frame["open"] = frame["window_end"].astype("int64") > span.now
        for column in ("window_start", "window_end"):
            frame[column] = pd.to_datetime(frame[column].astype("int64"), unit="ms", utc=True)
        found = frame.sort_values(["window_start", "window_end"], kind="stable", ignore_index=True)
        found.attrs = {"cut": len(found) >= values["limit"], "interval_ms": interval}
        return found

    def _rows(self, sql: str) -> pd.DataFrame:
        try:
            answer = self._http.post("/query/sql", json={"sql": sql})
        except httpx.TimeoutException as error:
            raise PinotUnavailable("Pinot did not answer in time.") from error
        except httpx.TransportError as error:
            raise PinotUnavailable("Pinot cannot be reached.") from error
        if not answer.is_success:
            raise QueryFailed(f"Pinot could not answer the query (HTTP {answer.status_code}).")
        body = answer.json()
        if body.get("exceptions"):
            raise _refusal(body["exceptions"])
        found = body.get("resultTable") or {}
        columns = (found.get("dataSchema") or {}).get("columnNames") or _columns(sql)
        return pd.DataFrame(found.get("rows") or [], columns=columns)


def without_superseded(frame: pd.DataFrame) -> pd.DataFrame:
    """The sessions that are not superseded (``shared.sessions``), by start and source."""
    spans = zip(frame["source"], frame["window_start"], frame["window_end"], strict=True)
    kept = frame.iloc[current_sessions(spans)].sort_values(["window_start", "source"], kind="stable", ignore_index=True)
    kept.attrs = frame.attrs
    return kept


def _columns(sql: str) -> list[str]:
    selected = re.search(r"SELECT (.*?)\nFROM", sql, re.DOTALL)
    assert selected is not None, sql  # noqa: S101
    return [column.split(" AS ")[-1].strip() for column in _COMMA.split(selected[1])]


def _refusal(exceptions: Sequence[Mapping[str, Any]]) -> PagePulseError:
    codes = {int(each["errorCode"]) for each in exceptions}
    if codes & _NO_TABLE:
        return TableMissing("Pinot does not have this table yet.")
    # the kind of the error and its cause; the lines after them are the stack of a Java thread
    reason = " ".join(str(exceptions[0].get("message", "")).split("\n")[:2])[:_REASON].strip().rstrip(".")
    return QueryFailed(
        f"Pinot refused the query (code {', '.join(map(str, sorted(codes)))}): {reason or 'no reason given'}."
    )
