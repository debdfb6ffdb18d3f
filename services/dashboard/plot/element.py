"""The chart as an element of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
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

_picture: Final = st.components.v2.component(
    "pagepulse_picture",
    html='<button type="button" class="picture">PNG</button>',
    css=(_HERE / "picture.css").read_text(),
    js=(_HERE / "picture.js").read_text(),
    isolate_styles=False,
)

#: where the values of a figure are; the texts that we write ourselves are elsewhere, and have <b> and <br>
_OF_TRACE: Final = ("name", "x", "y", "text", "customdata", "meta")
_OF_AXIS: Final = ("categoryarray", "tickvals", "ticktext")


def prepare() -> None:
    """Lets the browser run plotly.js while the numbers are still asked for: it is large."""
    with st.container(key="prepare"):
        _mount(key="plotly", data={"library": library.address()})


def draw(figure: go.Figure, *, key: str, config: Mapping[str, Any], alt: str, zoom_period: str | None = None) -> None:
    """Draws ``figure`` as wide as its place and as high as its layout says.

    The same ``key`` is the same chart: new numbers come into it, and zoom, hidden traces and hover stay as long as the
    figure's ``uirevision`` does. ``alt`` is what a screen reader says.
    A zoom on one chart over time holds for all that have the same ``zoom_period``; None: for itself alone.
    """
    _mount(
        key=f"plot-{key}",
        data={
            "figure": inert(figure),
            "config": dict(config),
            "alt": alt,
            "library": library.address(),
            "name": key,
            "zoomPeriod": zoom_period,
        },
    )


def picture_button(key: str) -> None:
    """A button that saves the chart ``key`` as a PNG: the browser makes it from what is on the screen."""
    _picture(key=f"picture-{key}", data={"name": key})


def inert(figure: go.Figure) -> str:
    """The figure as JSON. Plotly takes <a> and <span> in any text for what they say: in values they are only characters,
    except that a line break is one."""
    drawn = json.loads(figure.to_json())
    axes = (part for name, part in drawn["layout"].items() if name.startswith(("xaxis", "yaxis")))
    marks = drawn["layout"].get("annotations", [])
    wide = [meta["wide"] for meta in (drawn["layout"].get("meta"),) if meta and "wide" in meta]
    for parts, members in (
        (drawn["data"], _OF_TRACE),
        (axes, _OF_AXIS),
        (marks, ("hovertext",)),
        (wide, ("labels",)),
    ):
        for part in parts:
            part.update({member: _escaped(part[member]) for member in members if member in part})
    return json.dumps(drawn)


def _escaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escape(value, quote=False).replace("\n", "<br>") if isinstance(value, str) else value
