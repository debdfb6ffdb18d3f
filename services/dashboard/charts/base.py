"""What all charts have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

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
        return "#97a1af" if self.dark else "#66707e"

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
            "maxheight": 60,  # px; more names scroll, and the plot keeps its height
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
        bargap=0.18,
        dragmode="zoom",
        separators=".,",
        xaxis={**axis, "showgrid": False, "automargin": True, "title": None, "tickformatstops": _TIMES},
        yaxis={
            **axis,
            "rangemode": "tozero",
            "automargin": True,
            "tickformat": ",~d",
            "nticks": 6,
            "title": {"text": y_title, "font": small, "standoff": 8},
        },
    )
    return fig


def patterns(open_flags: pd.Series[Any]) -> dict[str, Any]:
    """The marker pattern of bars: hatched where the window is open."""
    shapes = [OPEN_PATTERN if flag else "" for flag in open_flags]
    return {"shape": shapes, "size": 6, "solidity": 0.35, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.75)"}


def mark_open(fig: go.Figure, theme: ChartTheme, start: pd.Timestamp, end: pd.Timestamp) -> None:
    """A quiet band behind the windows that are still open."""
    fig.add_vrect(
        x0=start,
        x1=end,
        fillcolor=theme.muted,
        opacity=0.10,
        line_width=0,
        layer="below",
        annotation_text="still open",
        annotation_position="top left",
        annotation_font={"size": 11, "color": theme.muted},
    )
