"""What this viewer has chosen: kept in the URL, so that a link or a reload shows the same."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from services.dashboard.queries import Span

RANGES: Final = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400}
#: labels are what the address shows, so they are short
REFRESH: Final = ("2s", "5s", "15s", "30s", "60s", "paused")

_RANGE_KEY: Final = "range"
_REFRESH_KEY: Final = "refresh"


@dataclass(frozen=True, slots=True)
class ViewState:
    """The choices of one viewer, and what their browser says about them."""

    range: str
    refresh: str
    zone: str
    dark: bool

    @property
    def every(self) -> float | None:
        """Seconds between two refreshes; None when paused."""
        return None if self.refresh == "paused" else float(self.refresh.removesuffix("s"))

    @property
    def words(self) -> str:
        """The range as a person says it."""
        return {"15m": "last 15 minutes", "1h": "last hour", "6h": "last 6 hours", "24h": "last 24 hours"}[self.range]

    def span(self) -> Span:
        """The chosen range, up to now."""
        return Span.last(RANGES[self.range], time.time())

    def today(self) -> Span:
        """From midnight in the viewer's zone up to now."""
        now = datetime.now(ZoneInfo(self.zone))
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return Span.last((now - midnight).total_seconds(), now.timestamp())


def choose(default_refresh: float) -> None:
    """Draws the choices; Streamlit keeps them in the URL."""
    st.segmented_control(
        "Range",
        list(RANGES),
        default="15m",
        required=True,
        key=_RANGE_KEY,
        bind="query-params",
        width="stretch",
        help="How far back the charts theme. The page keeps this in its address.",
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
    chosen = st.session_state.get(_RANGE_KEY)
    refresh = st.session_state.get(_REFRESH_KEY)
    return ViewState(
        range=chosen if chosen in RANGES else "15m",
        refresh=refresh if refresh in REFRESH else "15s",
        zone=_zone(),
        dark=st.context.theme.type == "dark",
    )


def _zone() -> str:
    name = st.context.timezone or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return name
