"""What all charts have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from services.dashboard.charts.dimension import series

#: px, of everything on a chart that is not its data
_SMALL: Final = 12
#: ticks of time: no date below the hours of one day, seconds only where they differ
_TIMES: Final = (
    {"dtickrange": [None, 59_000], "value": "%H:%M:%S"},
    {"dtickrange": [60_000, 7_199_000], "value": "%H:%M"},
    {"dtickrange": [7_200_000, 86_399_000], "value": "%H:%M\n%b %-d"},
    {"dtickrange": [86_400_000, None], "value": "%b %-d"},
)
#: how an open window is drawn, on every chart
OPEN_PATTERN: Final = "/"
#: marks of events on one chart
_MARKS: Final = 30
#: events nearer to each other than this part of the axis share a mark
_APART: Final = 1 / 100
#: plotly's own options: no logo, few buttons
CONFIG: Final[dict[str, Any]] = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "toImage"],
    "showTips": False,
    "scrollZoom": False,
    # the map's outlines come from this server; plotly would fetch them from its own
    "topojsonURL": "app/static/",
}
#: how much of its window a bar fills
_BAR = 0.82


@dataclass(frozen=True, slots=True)
class ChartTheme:
    """How this viewer sees: their time zone, and the theme."""

    zone: str = "UTC"
    dark: bool = False

    @property
    def ink(self) -> str:
        return "#e6e9ee" if self.dark else "#1d2530"

    @property
    def muted(self) -> str:
        return "#a3adba" if self.dark else "#5b6572"

    @property
    def grid(self) -> str:
        return "#252c36" if self.dark else "#e8ebef"

    @property
    def paper(self) -> str:
        return "#12161c" if self.dark else "#fbfbfc"

    def times(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """UTC times as the viewer's wall clock; without a zone, since plotly shows times as they are."""
        local: pd.Series[Any] = column.dt.tz_convert(self.zone).dt.tz_localize(None)
        return local

    def time(self, epoch_ms: float) -> pd.Timestamp:
        return pd.Timestamp(epoch_ms, unit="ms", tz="UTC").tz_convert(self.zone).tz_localize(None)


@dataclass(frozen=True, slots=True)
class Before:
    """The rows of the period before, and by how much later they are drawn."""

    frame: pd.DataFrame
    shift_ms: int


def figure(theme: ChartTheme, *, name: str, height: int = 320, y_title: str = "", legend: bool = True) -> go.Figure:
    """An empty figure in our manner. ``name`` identifies it, so that plotly keeps the viewer's zoom where it redraws."""
    fig = go.Figure()
    small = {"size": _SMALL, "color": theme.muted}
    axis = {"gridcolor": theme.grid, "zeroline": False, "fixedrange": False, "tickfont": small}
    fig.update_layout(
        height=height,
        uirevision=name,
        template=go.layout.Template(),
        margin={"l": 0, "r": 4, "t": 34 if legend else 12, "b": 8, "pad": 6},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": theme.ink, "size": 13},
        showlegend=legend,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "title": None,
            "traceorder": "normal",
            "maxheight": 68,  # px; more names scroll, and the plot keeps its height
            "font": {"size": _SMALL, "color": theme.ink},
        },
        hovermode="x unified",
        hoverlabel={
            "namelength": -1,
            "bgcolor": theme.paper,
            "bordercolor": theme.grid,
            "font": {"size": _SMALL, "color": theme.ink},
        },
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": theme.muted, "activecolor": theme.ink},
        bargap=1 - _BAR,
        dragmode="zoom",
        separators=".,",
        xaxis={**axis, "showgrid": False, "automargin": True, "title": None, "tickformatstops": _TIMES},
        yaxis={
            **axis,
            "rangemode": "tozero",
            "automargin": True,
            "tickformat": ",~d",
            "nticks": 6,
            "title": {"text": y_title, "font": small, "standoff": 12},
        },
    )
    return fig


def patterns(open_flags: pd.Series[Any]) -> dict[str, Any]:
    """The marker pattern of bars: hatched where the window is open."""
    shapes = [OPEN_PATTERN if flag else "" for flag in open_flags]
    return {"shape": shapes, "size": 6, "solidity": 0.35, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.75)"}


def bar_widths(rows: pd.DataFrame) -> pd.Series[Any]:
    """Widths in ms: each bar fills most of its window. Of a single bar plotly would make a thin line."""
    lengths: pd.Series[Any] = (rows["window_end"] - rows["window_start"]).dt.total_seconds() * 1000
    return _BAR * lengths


def on_time(fig: go.Figure) -> go.Figure:
    """Says that the x axis is time: such charts can be zoomed together, and bear marks of events."""
    fig.update_layout(meta={**(fig.layout.meta or {}), "time": True})
    return fig


def add_before(fig: go.Figure, theme: ChartTheme, sums: pd.Series[Any], shift_ms: int) -> None:
    """A faint dotted line: the period before, moved by ``shift_ms`` so that it lies under this one. ``sums`` is by UTC time."""
    if sums.empty:
        return
    at = theme.times(pd.Series(pd.DatetimeIndex(sums.index) + pd.Timedelta(milliseconds=shift_ms)))
    fig.add_scatter(
        x=at,
        y=sums.to_numpy(),
        name="period before",
        mode="lines",
        line={"color": theme.muted, "width": 1.5, "dash": "dot"},
        opacity=0.75,
        hovertemplate="%{y:,.3~r}",
    )


def stacked(
    fig: go.Figure, theme: ChartTheme, frame: pd.DataFrame, *, by: str, measure: str, before: Before | None
) -> go.Figure:
    """Adds a bar per window, stacked by the values of column ``by``; open windows are hatched."""
    fig.update_layout(barmode="stack")
    for one in series(frame, by, measure):
        rows = one.rows
        fig.add_bar(
            x=theme.times(rows["window_start"]),
            y=rows[measure],
            width=bar_widths(rows),
            name=one.label,
            meta=one.whole,
            marker={"color": one.colour, "pattern": patterns(rows["open"]), "line_width": 0},
            customdata=[" (open)" if flag else "" for flag in rows["open"]],
            hovertemplate="%{y:,}%{customdata}<extra>%{meta}</extra>",
        )
    if before is not None:
        add_before(fig, theme, before.frame.groupby("window_start")[measure].sum(), before.shift_ms)
    return on_time(fig)


def show_span(fig: go.Figure, theme: ChartTheme, since: int, until: int) -> None:
    """Lets the time axis reach from ``since`` to ``until`` (epoch ms), however little there is in between: a first minute does not fill
    it. A shape that is not seen, because a fixed range would end the viewer's way back from a zoom."""
    fig.add_shape(
        type="line",
        x0=theme.time(since),
        x1=theme.time(until),
        y0=0,
        y1=0,
        yref="paper",
        layer="below",
        opacity=0,
        line={"width": 0},
    )


def add_events(fig: go.Figure, theme: ChartTheme, events: Iterable[Mapping[str, Any]], since: int, until: int) -> None:
    """Marks on the time axis for what happened between two moments (epoch ms): a thin line, and words on hover. The newest of them; what
    happened at almost the same time has one mark."""
    # grouped before they are chosen: a mark stays where it is while the range moves on
    groups = _near((event for event in events if event["at_ms"] <= until), (until - since) * _APART)
    for together in [group for group in groups if group[0]["at_ms"] >= since][-_MARKS:]:
        at = theme.time(together[0]["at_ms"])
        fig.add_shape(
            type="line",
            x0=at,
            x1=at,
            y0=0,
            y1=1,
            yref="paper",
            opacity=0.5,
            line={"color": theme.muted, "width": 1, "dash": "dot"},
        )
        fig.add_annotation(
            x=at,
            y=1,
            yref="paper",
            yanchor="top",
            text="▼",
            showarrow=False,
            font={"size": 9, "color": theme.muted},
            hovertext="\n".join(
                f"{theme.time(event['at_ms']):%H:%M:%S} {event.get('title', '')}\n{event.get('detail', '')}"
                for event in together
            ),
            hoverlabel={"bgcolor": theme.paper, "font": {"color": theme.ink, "size": _SMALL}},
            captureevents=True,
        )


def _near(events: Iterable[Mapping[str, Any]], gap_ms: float) -> list[list[Mapping[str, Any]]]:
    """Events, oldest first, in groups that last no longer than ``gap_ms``."""
    groups: list[list[Mapping[str, Any]]] = []
    for event in events:
        if groups and event["at_ms"] - groups[-1][0]["at_ms"] <= gap_ms:
            groups[-1].append(event)
        else:
            groups.append([event])
    return groups
