"""Where page views come from, over three kinds of windows."""

from __future__ import annotations

import time
from typing import Final

import streamlit as st

from services.dashboard import chart_card, view_state
from services.dashboard.chart_card import Source
from services.dashboard.charts import sources as charts

#: what the address shows -> the column
_MEASURES: Final[dict[str, charts.Measure]] = {"users": "user_count", "views": "view_count"}


def render() -> None:
    view_state.choice("Measure", list(_MEASURES), default="users")
    st.fragment(_live, run_every=view_state.current().every)()


def _live() -> None:
    cards = chart_card.here()
    backend, now, theme = cards.backend, cards.view, cards.theme
    measure = _MEASURES.get(st.session_state.get("measure", "users"), "user_count")
    words = charts.WORDS[measure]
    caution = (
        " A user who came from two sources is in both colours, so the height is not the number of people."
        if measure == "user_count"
        else ""
    )
    cards.chart(
        f"Tumbling windows: {words} per minute",
        f"Each bar is one minute; minutes do not overlap. A hatched bar is still open.{caution}",
        backend.tumbling(now),
        lambda frame: charts.tumbling(frame, theme, measure, cards.before("tumbling")),
        key="tumbling",
        source=Source("tumbling", "pageview_tumbling"),
    )
    cards.chart(
        f"Hopping windows: {words} over 5 minutes",
        "Each point covers the 5 minutes before it and the next one begins a minute later, so neighbours share most of their views. "
        "The dotted end is the window that closes next.",
        backend.hopping(now),
        lambda frame: charts.hopping(frame, theme, measure, cards.before("hopping")),
        key="hopping",
        source=Source("hopping", "pageview_hopping"),
    )
    gap = backend.settings.session_gap
    cards.chart(
        "Session windows: bursts of traffic",
        f"A bar lasts as long as views of a source follow each other within {gap.total_seconds():.0f} seconds; "
        "a hatched bar with an arrow is still going.",
        backend.sessions(now),
        lambda frame: charts.sessions(
            frame, theme, now_ms=int(time.time() * 1000), gap_ms=int(gap.total_seconds() * 1000)
        ),
        key="sessions",
        source=Source("sessions", "pageview_session"),
    )
