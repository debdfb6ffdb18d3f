"""The chart as an element of a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import plotly.graph_objects as go
import streamlit as st

from services.dashboard.plot import library

_HERE: Final = Path(__file__).parent
SCRIPT: Final = (_HERE / "plot.js").read_text()

# Registered when this module is imported; Streamlit sends the script to a browser once, not once per chart.
_mount: Final = st.components.v2.component(
    "pagepulse_plot",
    html='<div class="plot"></div>',
    css=(_HERE / "plot.css").read_text(),
    js=SCRIPT,
    isolate_styles=False,  # plotly puts its styles into the page, where a shadow root would not see them
)


def prepare() -> None:
    """Lets the browser fetch and run plotly.js while the numbers are still asked for: it is large."""
    with st.container(key="prepare"):
        _mount(key="plotly", data={"library": library.address()})


def draw(figure: go.Figure, *, key: str, config: Mapping[str, Any], alt: str) -> None:
    """Draws ``figure`` as wide as its place and as high as its layout says.

    The same ``key`` is the same chart: new numbers come into it, and zoom, hidden traces and hover stay as long as the
    figure's ``uirevision`` does. ``alt`` is what a screen reader says.
    """
    _mount(
        key=f"plot-{key}",
        data={"figure": figure.to_json(), "config": dict(config), "alt": alt, "library": library.address()},
    )
