"""The first theme: is it alive, how much, how fresh."""

from __future__ import annotations

import time

import streamlit as st

from services.dashboard import chart_card, guidance, kpis, view_state
from services.dashboard.chart_card import Source
from services.dashboard.charts import audience, ranking, sources


def render() -> None:
    st.fragment(_live, run_every=view_state.current().every)()


def _live() -> None:
    cards = chart_card.here()
    backend, now, theme = cards.backend, cards.view, cards.theme
    tumbling, countries = backend.tumbling(now), backend.countries(now)
    recent = backend.tumbling(now.recent).value
    guidance.draw(backend, now, rows=recent is not None and not recent.empty)
    kpis.draw(backend, now)
    cards.chart(
        "Users by source, per minute",
        "Distinct users in each minute; a user who came from two sources is in both colours. Hatched minutes are still open.",
        tumbling,
        lambda frame: sources.tumbling(frame, theme, before=cards.before("tumbling")),
        key="overview-tumbling",
        source=Source("tumbling", "pageview_tumbling"),
    )
    gap = backend.settings.session_gap
    left, right = st.columns([3, 2])
    with left:
        cards.chart(
            "Bursts of traffic",
            f"Views of a source that follow each other within {gap.total_seconds():.0f} seconds are one burst; "
            "a hatched one is still going.",
            backend.sessions(now),
            lambda frame: sources.sessions(
                frame, theme, now_ms=int(time.time() * 1000), gap_ms=int(gap.total_seconds() * 1000)
            ),
            key="overview-sessions",
            source=Source("sessions", "pageview_session"),
        )
    with right:
        cards.chart(
            "Users by country",
            "Distinct users in the newest 5-minute window; hatched while no window is complete yet.",
            countries,
            lambda frame: ranking.ranked(audience.newest(frame), theme, top=8),
            key="overview-countries",
            source=Source("country", "pageview_country"),
        )
