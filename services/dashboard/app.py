"""The script that Streamlit runs for each viewer: navigation, sidebar, and the page that was chosen."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from services.dashboard import sidebar
from services.dashboard.pages import audience, controls, engagement, overview, pipeline, sources

_STATIC = Path(__file__).parent / "static"

st.set_page_config(page_title="PagePulse", page_icon=_STATIC / "icon.svg", layout="wide")
st.logo(_STATIC / "logo.svg", size="large")

_PAGES = [
    st.Page(overview.render, title="Overview", icon=":material/space_dashboard:", url_path="overview", default=True),
    st.Page(audience.render, title="Audience", icon=":material/public:", url_path="audience"),
    st.Page(sources.render, title="Sources", icon=":material/stacked_bar_chart:", url_path="sources"),
    st.Page(engagement.render, title="Engagement", icon=":material/devices:", url_path="engagement"),
    st.Page(pipeline.render, title="Pipeline", icon=":material/account_tree:", url_path="pipeline"),
    st.Page(controls.render, title="Controls", icon=":material/tune:", url_path="controls"),
]

page = st.navigation(_PAGES, expanded=True)
sidebar.draw()
page.run()
