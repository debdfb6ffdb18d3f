"""Navigation, sidebar, and the page that was chosen. Runs from top to bottom for each viewer and full rerun."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

from services.dashboard import sidebar
from services.dashboard.pages import audience, controls, engagement, overview, pipeline, records, sources, sql
from services.dashboard.plot import element

_STATIC: Final = Path(__file__).parent / "web" / "static"


def main() -> None:
    """Draws the app."""
    st.set_page_config(page_title="PagePulse", page_icon=_STATIC / "icon.svg", layout="wide")
    st.logo(_STATIC / "logo.svg", size="large")
    page = st.navigation(
        [
            st.Page(overview.render, title="Overview", icon=":material/space_dashboard:", url_path="overview"),
            st.Page(audience.render, title="Audience", icon=":material/public:", url_path="audience"),
            st.Page(sources.render, title="Sources", icon=":material/stacked_bar_chart:", url_path="sources"),
            st.Page(engagement.render, title="Engagement", icon=":material/devices:", url_path="engagement"),
            st.Page(pipeline.render, title="Pipeline", icon=":material/account_tree:", url_path="pipeline"),
            st.Page(controls.render, title="Controls", icon=":material/tune:", url_path="controls"),
            st.Page(records.render, title="Records", icon=":material/list_alt:", url_path="records"),
            st.Page(sql.render, title="SQL", icon=":material/terminal:", url_path="sql"),
        ],
        expanded=True,
    )
    # before anything asks a server, or plotly.js takes the browser's time: a page has its heading at once
    st.title(page.title)
    element.prepare()
    sidebar.draw()
    page.run()
