"""How people use the site: sessions by device, views per session, top pages."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from services.dashboard import chart_card, view_state
from services.dashboard.chart_card import ChartCards, Source
from services.dashboard.charts import engagement as charts
from services.dashboard.charts import ranking
from services.dashboard.charts.base import Before
from services.dashboard.stale_cache import CachedResult


def render() -> None:
    st.fragment(_live, run_every=view_state.current().every)()


def _live() -> None:
    cards = chart_card.here()
    backend, now, theme = cards.backend, cards.view, cards.theme
    devices, views = backend.devices(now), backend.tumbling(now)
    cards.chart(
        "Sessions by device",
        "Sessions that began in each minute, by the device of the login; a hatched bar is still open.",
        devices,
        lambda frame: charts.devices(frame, theme, cards.before("devices")),
        key="devices",
        source=Source("devices", "usersession_device"),
    )
    cards.chart(
        "Views per session",
        "Page views of a minute divided by the sessions that began in it. Views of sessions that began earlier count "
        "too, so the first minutes after a start are low. Complete minutes only.",
        together(views, devices),
        lambda frame: charts.views_per_session(frame, theme, _before(cards)),
        key="views-per-session",
        source=Source("tumbling", "pageview_tumbling"),
    )
    cards.chart(
        f"Top pages, {now.words}",
        "Page views by path, added up over the 5-minute windows that begin in this time. Views without a page are left out.",
        backend.pages(now),
        lambda frame: ranking.pages(frame, theme),
        key="pages",
        source=Source("pages", "pageview_page"),
        empty=f"No page was viewed in the {now.words}.",
    )


def _before(cards: ChartCards) -> Before | None:
    views, devices = cards.before("tumbling"), cards.before("devices")
    return Before(charts.ratio(views.frame, devices.frame), views.shift_ms) if views and devices else None


def together(views: CachedResult[pd.DataFrame], devices: CachedResult[pd.DataFrame]) -> CachedResult[pd.DataFrame]:
    """The ratio of two readings; it is as fresh as the staler of them."""
    worse = devices if devices.stale else views
    if views.value is None or devices.value is None:
        return replace(worse, value=None)
    return replace(worse, value=charts.ratio(views.value, devices.value))
