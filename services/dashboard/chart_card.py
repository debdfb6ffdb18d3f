"""A panel: a title, a chart, one sentence about it, and the truth about how fresh it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from services.dashboard import view_state
from services.dashboard.backend import Backend, get_backend
from services.dashboard.charts.base import CONFIG, ChartTheme
from services.dashboard.errors import TableMissing
from services.dashboard.format import clock, plain
from services.dashboard.plot import element
from services.dashboard.stale_cache import CachedResult
from services.dashboard.view_state import ViewState

T = TypeVar("T")


def stale_note(reading: CachedResult[T], view: ViewState) -> None:
    """Says since when the picture is stale, and why; nothing when it is fresh."""
    if reading.stale_since is None or reading.error is None:
        return
    at = clock(reading.stale_since, view.zone)
    words = f"Stale since {at}" if reading.value is not None else f"No data since {at}"
    st.markdown(f":orange-badge[:material/history: {words}] :small[{plain(reading.error.detail)}]")


@dataclass(frozen=True, slots=True)
class ChartCards:
    """Draws the cards of one page for one viewer."""

    backend: Backend
    view: ViewState

    @property
    def theme(self) -> ChartTheme:
        """How charts are to be drawn for this viewer."""
        return ChartTheme(zone=self.view.zone, dark=self.view.dark)

    def chart(
        self,
        title: str,
        sentence: str,
        reading: CachedResult[pd.DataFrame],
        draw: Callable[[pd.DataFrame], go.Figure],
        *,
        key: str,
        empty: str | None = None,
    ) -> None:
        """Draws one frame, or says what to press when there is nothing to draw. ``empty`` says then what there is none of."""
        # as high as its neighbour
        with st.container(border=True, height="stretch"):
            st.markdown(f"##### {title}")
            if isinstance(reading.error, TableMissing) and reading.value is None:
                nothing("The pipeline is not set up yet.", self.backend)
                return
            stale_note(reading, self.view)
            if reading.value is None:
                return
            if reading.value.empty:
                nothing(empty or f"Nothing in the {self.view.words}.", self.backend)
                return
            figure = draw(reading.value)
            # a zoom holds until another range is chosen
            figure.update_layout(uirevision=f"{figure.layout.uirevision}-{self.view.range}")
            element.draw(figure, key=key, config=CONFIG, alt=f"{title}. {sentence}")
            st.caption(sentence)


def here() -> ChartCards:
    """The cards for the viewer whose script runs now."""
    return ChartCards(get_backend(), view_state.current())


def nothing(what: str, backend: Backend) -> None:
    """An empty panel: what is the case, and what to press."""
    st.info(f"{what} {advice(backend)}", icon=":material/hourglass_empty:")


def advice(backend: Backend) -> str:
    """The next thing to press so that data flows; the first that is missing."""
    pipeline = backend.pipeline().value or {}
    if pipeline.get("state") == "absent":
        return "Open **Pipeline** and press **Apply**."
    seeder = backend.seeder().value
    if seeder is not None and not seeder.get("users"):
        return "There are no users: open **Controls** and press **Seed users**."
    generator = backend.generator()
    state = (generator.value or {}).get("state")
    if generator.stale:
        return "The generator cannot be reached, so nothing new may arrive."
    if state == "paused":
        return "The generator is paused: press **Resume** in the sidebar."
    if state != "running":
        return "Press **Start** in the sidebar to generate page views."
    return "The generator runs: the first windows arrive within seconds."
