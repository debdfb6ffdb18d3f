"""This viewer's choices: kept in the URL, so that a link or a reload shows the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from services.dashboard.queries import Span

#: seconds of the ranges that end now
RANGES: Final = {"5m": 300, "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400}
#: from one moment to another
CUSTOM: Final = "dates"
_WORDS: Final = {
    "5m": "last 5 minutes",
    "15m": "last 15 minutes",
    "1h": "last hour",
    "6h": "last 6 hours",
    "24h": "last 24 hours",
}
#: labels are what the address shows, so they are short
REFRESH: Final = ("2s", "5s", "15s", "30s", "60s", "paused")

_RANGE_KEY: Final = "range"
_REFRESH_KEY: Final = "refresh"
_COMPARE_KEY: Final = "compare"
_ZOOM_KEY: Final = "zoom"


@dataclass(frozen=True, slots=True)
class ViewState:
    """The choices of one viewer, and what their browser says about them.

    ``dates``: the range "dates", epoch seconds; ``compare``: draw the period before too; ``zoom_all``: a zoom on one chart holds for all.
    """

    range: str
    refresh: str
    zone: str
    dark: bool
    dates: tuple[float, float] | None = None
    compare: bool = False
    zoom_all: bool = False

    @property
    def every(self) -> float | None:
        """Seconds between two refreshes; None when paused."""
        return None if self.refresh == "paused" else float(self.refresh.removesuffix("s"))

    @property
    def key(self) -> tuple[object, ...]:
        """Identifies the range: answers for one are not shown for another."""
        return (self.range, self.dates)

    @property
    def words(self) -> str:
        """The range as a person says it."""
        if self.dates is None:
            return _WORDS.get(self.range, _WORDS["15m"])
        since, until = (datetime.fromtimestamp(at, ZoneInfo(self.zone)) for at in self.dates)
        end = f"{until:%H:%M}" if since.date() == until.date() else f"{until:%b %-d, %H:%M}"
        return f"{since:%b %-d, %H:%M} to {end}"

    def span(self) -> Span:
        """The chosen range, up to now or to its end."""
        if self.dates is None:
            return Span.last(RANGES.get(self.range, RANGES["15m"]), time.time())
        since, until = self.dates
        return Span(int(since * 1000), int(time.time() * 1000), int(until * 1000))

    @property
    def recent(self) -> ViewState:
        """A view that reaches from a quarter of an hour ago to now: this one, unless it is between two dates."""
        return self if self.dates is None else replace(self, range="15m", dates=None)

    def today(self) -> Span:
        """From midnight in the viewer's zone up to now."""
        now = datetime.now(ZoneInfo(self.zone))
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return Span.last((now - midnight).total_seconds(), now.timestamp())


def choose(default_refresh: float) -> None:
    """Draws the choices; Streamlit keeps them in the URL."""
    chosen = st.segmented_control(
        "Range",
        [*RANGES, CUSTOM],
        default="15m",
        required=True,
        key=_RANGE_KEY,
        bind="query-params",
        width="stretch",
        help="The range of time on the charts: up to now, or between two dates. The page keeps this in its address.",
    )
    if chosen == CUSTOM:
        now = datetime.now(ZoneInfo(_zone())).replace(tzinfo=None, second=0, microsecond=0)
        step = timedelta(minutes=1)
        st.datetime_input("From", now - timedelta(hours=1), key="from", bind="query-params", step=step)
        st.datetime_input("To", now, key="to", bind="query-params", step=step)
        if current().range != CUSTOM:
            st.caption("From must be before To: the last 15 minutes are shown.")
    st.toggle(
        "Compare with the period before",
        key=_COMPARE_KEY,
        bind="query-params",
        help="A faint dotted line: the sum over all values in the period of the same length just before.",
    )
    st.toggle(
        "Zoom all charts together",
        key=_ZOOM_KEY,
        bind="query-params",
        help="Drag over one chart, and all charts of the page show that time. A double click shows everything again.",
    )
    default = f"{default_refresh:.0f}s"
    st.select_slider(
        "Refresh every",
        REFRESH,
        value=default if default in REFRESH else "15s",
        key=_REFRESH_KEY,
        bind="query-params",
    )


def current() -> ViewState:
    """The choices as they are now; also right inside a fragment."""
    state = st.session_state
    chosen, zone = state.get(_RANGE_KEY), _zone()
    # in the first run the living part of the sidebar begins before the choice is drawn that takes it from the address
    refresh = state.get(_REFRESH_KEY) or st.query_params.get(_REFRESH_KEY)
    dates = _dates(state.get("from"), state.get("to"), zone) if chosen == CUSTOM else None
    return ViewState(
        range=str(chosen) if chosen in RANGES or dates else "15m",
        refresh=refresh if refresh in REFRESH else "15s",
        zone=zone,
        dark=st.context.theme.type == "dark",
        dates=dates,
        compare=bool(state.get(_COMPARE_KEY)),
        zoom_all=bool(state.get(_ZOOM_KEY)),
    )


def _dates(since: object, until: object, zone: str) -> tuple[float, float] | None:
    """Wall-clock times of the viewer as epoch seconds; None unless the first is before the second."""
    if not isinstance(since, datetime) or not isinstance(until, datetime) or since >= until:
        return None
    first, last = (at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp() for at in (since, until))
    return first, last


def _zone() -> str:
    name = st.context.timezone or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return name


def choice(label: str, options: Sequence[str], *, default: str, about: str | None = None) -> None:
    """A choice of one page under ``st.session_state[label.lower()]``, kept in the address too. ``about`` explains it; without, only the
    options are shown."""
    st.segmented_control(
        label,
        options,
        default=default,
        required=True,
        key=label.lower(),
        bind="query-params",
        persist_state="session",
        label_visibility="visible" if about else "collapsed",
        help=about,
    )
