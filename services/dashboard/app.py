"""The script that Streamlit runs for each viewer: navigation, sidebar, and the page that was chosen."""

from __future__ import annotations

import streamlit as st

from services.dashboard import sidebar
from services.dashboard.pages import audience, controls, engagement, overview, pipeline, sources

st.set_page_config(page_title="PagePulse", page_icon=":material/monitoring:", layout="wide")

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
