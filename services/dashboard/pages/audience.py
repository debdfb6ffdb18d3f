"""Users and average age by country."""

from __future__ import annotations

from typing import Final

import pandas as pd
import streamlit as st

from services.dashboard import chart_card, view_state
from services.dashboard.chart_card import ChartCards, Source
from services.dashboard.charts import audience as charts
from services.dashboard.charts import ranking
from services.dashboard.stale_cache import CachedResult

#: the newest window that has ended, or the one that is still open
_CHOICES: Final = ("complete", "open")


def render() -> None:
    about = "The newest window that has ended, or the one that is still open."
    view_state.choice("Window", _CHOICES, default="complete", about=about)
    st.fragment(_live, run_every=view_state.current().every)()


def _live() -> None:
    cards = chart_card.here()
    backend, now, theme = cards.backend, cards.view, cards.theme
    reading = backend.countries(now)
    complete = st.session_state.get("window") != "open"
    about = ""
    if reading.value is not None and not reading.value.empty:
        window = charts.of_window(reading.value, complete=complete)
        if window.empty:
            # In the first minutes no window has ended yet, and between two events none may be open: show the other kind.
            complete = not complete
            window = charts.of_window(reading.value, complete=complete)
        first = window.iloc[0]
        start, end = (first[name].tz_convert(now.zone).strftime("%H:%M") for name in ("window_start", "window_end"))
        about = f", {start} – {end}" + (" (still open: the numbers grow)" if not complete else "")
    cards.chart(
        f"Distinct users by country{about}",
        "Each window is 5 minutes long and does not overlap the next; a user counts once in it. "
        "Only users with a complete profile are counted.",
        reading,
        lambda frame: charts.world(charts.of_window(frame, complete=complete), theme),
        key="world",
        source=Source("country", "pageview_country"),
    )
    left, right = st.columns(2)
    with left:
        cards.chart(
            "Most users",
            "The same window and countries, ranked by distinct users.",
            reading,
            lambda frame: ranking.ranked(charts.of_window(frame, complete=complete), theme, axis_space=True),
            key="ranked",
            source=Source("country", "pageview_country"),
        )
    with right:
        cards.chart(
            "Average age",
            "The mean over page views: a user with ten views counts ten times.",
            reading,
            lambda frame: ranking.ages(charts.of_window(frame, complete=complete), theme),
            key="ages",
            source=Source("country", "pageview_country"),
        )
    left, right = st.columns([3, 2])
    with left:
        cards.chart(
            f"Leading countries, {now.words}",
            "Distinct users in each 5-minute window, at its start; the ring is the window that is still open.",
            _leaders(reading, cards),
            lambda frame: charts.over_time(frame, theme),
            key="countries-over-time",
            source=Source("leaders", "pageview_country", {"countries": _leading(reading)}),
        )
    with right:
        cards.chart(
            "Users by subscription",
            "All users in the users table that have a tier, with their average age. Each counts once, with or without page views.",
            backend.user_stats().map(ranking.tiers),
            lambda frame: ranking.by_tier(frame, theme),
            key="tiers",
            empty="The users table is empty.",
        )


def _leading(countries: CachedResult[pd.DataFrame]) -> list[str]:
    return [] if countries.value is None or countries.value.empty else charts.leading(countries.value)


def _leaders(countries: CachedResult[pd.DataFrame], cards: ChartCards) -> CachedResult[pd.DataFrame]:
    """The leading countries over the whole range; without one, the result for all countries."""
    if countries.value is None or countries.value.empty:
        return countries
    return cards.backend.leaders(cards.view, _leading(countries))
