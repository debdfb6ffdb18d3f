"""The sidebar: the state of generator and pipeline, start and stop, the rate; the same on every page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from services.dashboard import links, view_state, widgets
from services.dashboard.backend import Backend, get_backend
from services.dashboard.chart_card import stale_note
from services.dashboard.format import number

_PLACE: Final = "sidebar"

#: state -> colour of the badge, sign, words; never shown by colour alone
_GENERATOR: Final = {
    "running": ("green", ":material/play_circle:", "Running"),
    "paused": ("orange", ":material/pause_circle:", "Paused"),
    "stopped": ("gray", ":material/stop_circle:", "Stopped"),
    "stopping": ("orange", ":material/hourglass_top:", "Stopping"),
}
_PIPELINE: Final = {
    "ready": ("green", ":material/check_circle:", "Ready"),
    "degraded": ("orange", ":material/warning:", "Degraded"),
    "changing": ("orange", ":material/hourglass_top:", "Changing"),
    "absent": ("gray", ":material/do_not_disturb_on:", "Not set up"),
}
_UNKNOWN: Final = ("gray", ":material/help:", "Unknown")


def draw() -> None:
    """Draws the sidebar; the living part is a fragment of its own."""
    backend = get_backend()
    with st.sidebar:
        st.fragment(_living, run_every=view_state.current().every)(backend)
        st.divider()
        view_state.choose(backend.settings.refresh.total_seconds())
        links.draw(backend.settings)


def badge(known: Mapping[str, tuple[str, str, str]], state: str) -> str:
    """Markdown of a state: colour, sign and word."""
    colour, sign, word = known.get(state, _UNKNOWN)
    return f":{colour}-badge[{sign} {word}]"


def generator_badge(state: str) -> str:
    return badge(_GENERATOR, state)


def pipeline_badge(state: str) -> str:
    return badge(_PIPELINE, state)


def _living(backend: Backend) -> None:
    now = view_state.current()
    generator, pipeline = backend.generator(), backend.pipeline()
    status: dict[str, Any] = generator.value or {}
    state = "unknown" if generator.stale else str(status.get("state", "unknown"))
    with st.container(gap="small"):
        st.markdown(f"**Generator** {generator_badge(state)}")
        if generator.stale:
            stale_note(generator, now)
        elif state == "running":
            achieved = (status.get("achieved_rate") or {}).get("last_10s")
            target = status.get("target_rate")
            aim = f"of {number(target)}" if target else "at full speed"
            st.caption(f"{number(achieved)} {aim} events/s")
        rate = widgets.rate(backend, status, _PLACE)
        widgets.generator_buttons(backend, state, {"rate": rate}, _PLACE)
        widgets.settle(backend, _PLACE, now)
        st.markdown(
            f"**Pipeline** {pipeline_badge('unknown' if pipeline.stale else str((pipeline.value or {}).get('state')))}"
        )
        if pipeline.stale:
            stale_note(pipeline, now)
        elif (pipeline.value or {}).get("state") == "absent":
            st.caption("Open Pipeline and press Apply.")
