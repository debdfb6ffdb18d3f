"""How people use the pages: sessions by device, views per session."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from services.dashboard import panel, view
from services.dashboard.charts import engagement as charts
from services.dashboard.freshness import Reading


def render() -> None:
    st.title("Engagement")
    st.fragment(_live, run_every=view.current().every)()


def _live() -> None:
    panels = panel.here()
    backend, now, look = panels.backend, panels.view, panels.look
    devices, views = backend.devices(now), backend.tumbling(now)
    panels.chart(
        "Sessions by device",
        "Sessions that began in each minute, by the device of the login; a hatched bar is still open.",
        devices,
        lambda frame: charts.devices(frame, look),
        key="devices",
    )
    panels.chart(
        "Views per session",
        "Page views of a minute divided by the sessions that began in it. Views of sessions that began earlier count "
        "too, so the first minutes after a start are low. Complete minutes only.",
        together(views, devices),
        lambda frame: charts.views_per_session(frame, look),
        key="views-per-session",
    )


def together(views: Reading[pd.DataFrame], devices: Reading[pd.DataFrame]) -> Reading[pd.DataFrame]:
    """The ratio of two readings; it is as fresh as the staler of them."""
    worse = devices if devices.stale else views
    if views.value is None or devices.value is None:
        return replace(worse, value=None)
    return replace(worse, value=charts.ratio(views.value, devices.value))
