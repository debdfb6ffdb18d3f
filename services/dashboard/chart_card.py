"""A chart on a card: title, chart, one sentence, how fresh it is, and a menu to go on from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from services.dashboard import guidance, links, view_state
from services.dashboard.backend import Backend, Table, get_backend
from services.dashboard.charts.base import CONFIG, Before, ChartTheme, add_events, show_span
from services.dashboard.errors import TableMissing
from services.dashboard.format import clock, duration, number, plain
from services.dashboard.plot import element
from services.dashboard.queries import rendered
from services.dashboard.stale_cache import CachedResult
from services.dashboard.view_state import ViewState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a chart's rows come from: a file of ``sql`` with its values, and a table of Pinot."""

    query: str
    table: str
    values: Mapping[str, Any] | None = None


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

    def before(self, table: Table) -> Before | None:
        """The period before, if the viewer wants to compare and there is one."""
        found = self.backend.before(table, self.view).value
        return None if found is None else Before(found, self.view.span().length_ms)

    def chart(
        self,
        title: str,
        sentence: str,
        reading: CachedResult[pd.DataFrame],
        draw: Callable[[pd.DataFrame], go.Figure],
        *,
        key: str,
        source: Source | None = None,
        empty: str | None = None,
    ) -> None:
        """Draws one frame, or says what to press when there is nothing to draw. ``empty`` says then what there is none of."""
        # as high as its neighbour
        with st.container(border=True, height="stretch"):
            self._head(title, reading, key, source)
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
            if (figure.layout.meta or {}).get("time"):
                span = self.view.span()
                show_span(figure, self.theme, span.since, min(span.until, span.now))
                add_events(figure, self.theme, self.backend.events(), span.since, min(span.until, span.now))
            # a zoom holds until another range is chosen
            period = f"{self.view.range}-{self.view.dates}"
            figure.update_layout(uirevision=f"{figure.layout.uirevision}-{period}")
            zoom_period = period if self.view.zoom_all else None
            element.draw(figure, key=key, config=CONFIG, alt=f"{title}. {sentence}", zoom_period=zoom_period)
            st.caption(" ".join([sentence, *bounds(reading.value, self.view.zone)]))

    def _head(self, title: str, reading: CachedResult[pd.DataFrame], key: str, source: Source | None) -> None:
        with st.container(horizontal=True, vertical_alignment="center", key=f"head-{key}"):
            st.markdown(f"## {title}", width="stretch")
            if reading.value is not None and not reading.value.empty:
                with st.popover(
                    "Data", icon=":material/more_vert:", type="tertiary", help=f"SQL, CSV and PNG of {title}"
                ):
                    self._menu(reading.value, key, source)

    def _menu(self, frame: pd.DataFrame, key: str, source: Source | None) -> None:
        if source is not None:
            sql = rendered(source.query, self.view.span(), **(source.values or {}))
            st.code(sql, language="sql")
            here = links.links(self.backend.settings)
            st.link_button("Run in Pinot's console", here.pinot_query(sql), width="stretch")
            st.link_button(f"Table {source.table} in Pinot", here.pinot_table(source.table), width="stretch")
        st.download_button(
            "CSV",
            lambda: frame.to_csv(index=False).encode(),
            file_name=f"pagepulse-{key}.csv",
            mime="text/csv",
            key=f"csv-{key}",
            on_click="ignore",
            width="stretch",
        )
        element.picture_button(key)


def bounds(frame: pd.DataFrame, zone: str) -> list[str]:
    """Sentences on what a chart of these rows does not show: single windows of a long range, rows beyond the limit."""
    found = []
    if interval := frame.attrs.get("interval_ms"):
        found.append(f"The range is long: each point is the mean of the windows that begin in {duration(interval)}.")
    if frame.attrs.get("cut") and frame.attrs.get("ranked"):
        found.append(f"**Not all: Pinot answered with the first {number(len(frame))} rows.**")
    elif frame.attrs.get("cut"):
        since = frame["window_start"].min().tz_convert(zone)
        found.append(
            f"**Not the whole range: Pinot answered with the newest {number(len(frame))} rows, from {since:%b %-d, %H:%M} on.**"
        )
    return found


def here() -> ChartCards:
    """The cards for the viewer whose script runs now."""
    return ChartCards(get_backend(), view_state.current())


def nothing(what: str, backend: Backend) -> None:
    """An empty card with the reason and the next step."""
    st.info(f"{what} {guidance.advice(backend)}", icon=":material/hourglass_empty:")
