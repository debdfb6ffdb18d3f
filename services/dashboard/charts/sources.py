"""Traffic by source. A frame has source, window_start, window_end, view_count, user_count, open."""

from __future__ import annotations

from typing import Any, Final, Literal

import pandas as pd
import plotly.graph_objects as go

from services.dashboard import palette
from services.dashboard.charts.base import ChartTheme, figure, patterns
from services.dashboard.format import duration

Measure = Literal["user_count", "view_count"]
WORDS: Final[dict[Measure, str]] = {"user_count": "distinct users", "view_count": "page views"}

#: bars of sessions shorter than this would not be seen
_THINNEST_MS: Final = 1_500


def tumbling(frame: pd.DataFrame, theme: ChartTheme, measure: Measure = "user_count") -> go.Figure:
    """Stacked bars per window and source; open windows hatched.

    Stacked users count a user once per source: the height is not the number of different people.
    """
    fig = figure(theme, name=f"tumbling-{measure}", y_title=WORDS[measure])
    fig.update_layout(barmode="stack")
    for source, rows in _by_source(frame):
        fig.add_bar(
            x=theme.times(rows["window_start"]),
            y=rows[measure],
            name=source,
            marker={"color": palette.source(source), "pattern": patterns(rows["open"]), "line_width": 0},
            customdata=[" (open)" if flag else "" for flag in rows["open"]],
            hovertemplate="%{y:,}%{customdata}",
        )
    return fig


def hopping(frame: pd.DataFrame, theme: ChartTheme, measure: Measure = "user_count") -> go.Figure:
    """A smooth line per source at each window's end; the dotted end is the open window that closes next."""
    fig = figure(theme, name=f"hopping-{measure}", y_title=WORDS[measure])
    for source, rows in _by_source(frame):
        complete = rows[~rows["open"]]
        upcoming = rows[rows["open"]].head(1)
        line = {"color": palette.source(source), "width": 2.5, "shape": "spline", "smoothing": 0.6}
        fig.add_scatter(
            x=theme.times(complete["window_end"]),
            y=complete[measure],
            name=source,
            legendgroup=source,
            mode="lines" if len(complete) > 1 else "markers",
            line=line,
            hovertemplate="%{y:,}",
        )
        if len(upcoming):
            end = pd.concat([complete.tail(1), upcoming])
            fig.add_scatter(
                x=theme.times(end["window_end"]),
                y=end[measure],
                name=f"{source} (open)",
                legendgroup=source,
                showlegend=False,
                mode="lines+markers",
                line={**line, "dash": "dot"},
                marker={"symbol": "circle-open", "size": [0] * (len(end) - 1) + [8]},
                hovertemplate="%{y:,}",
            )
    return fig


def sessions(frame: pd.DataFrame, theme: ChartTheme, *, now_ms: int, gap_ms: int) -> go.Figure:
    """A timeline: each session a bar from its first to its last view; live ones are hatched and reach to now."""
    order = [name for name, _ in _by_source(frame)]
    fig = figure(theme, name="sessions", height=44 + 56 * max(1, len(order)), legend=False)
    drawn = live_sessions(frame, now_ms=now_ms, gap_ms=gap_ms)
    for source, rows in _by_source(drawn):
        starts = rows["window_start"]
        lengths = (rows["shown_end"] - starts).dt.total_seconds() * 1000
        fig.add_bar(
            base=theme.times(starts),
            x=lengths.clip(lower=_THINNEST_MS),
            y=rows["source"],
            orientation="h",
            name=source,
            width=0.56,
            marker={
                "color": palette.source(source),
                "pattern": patterns(rows["live"]),
                "line": {"color": theme.paper, "width": 1},
            },
            customdata=_session_words(rows, theme),
            hovertemplate="<b>%{y}</b> %{customdata[0]}<br>%{customdata[1]}<br>%{customdata[2]:,} users, "
            "%{customdata[3]:,} views<extra></extra>",
        )
    live = drawn[drawn["live"]]
    if len(live):
        fig.add_scatter(
            x=[theme.time(now_ms)] * len(live),
            y=live["source"],
            mode="markers",
            marker={
                "symbol": "triangle-right",
                "size": 13,
                "color": [palette.source(source) for source in live["source"]],
            },
            name="still going",
            showlegend=False,
            hoverinfo="skip",
        )
    fig.update_layout(hovermode="closest", barmode="overlay", dragmode="zoom")
    fig.update_xaxes(type="date", showgrid=True)
    fig.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=order[::-1],
        tickformat=None,
        nticks=None,
        dtick=1,
        showgrid=False,
        fixedrange=True,
        rangemode="normal",
    )
    return fig


def live_sessions(frame: pd.DataFrame, *, now_ms: int, gap_ms: int) -> pd.DataFrame:
    """Adds ``live`` (another view would still join it) and ``shown_end`` (now, for a live one)."""
    now = pd.Timestamp(now_ms, unit="ms", tz="UTC")
    live = frame["window_end"] + pd.Timedelta(milliseconds=gap_ms) >= now
    ends = frame["window_end"].mask(live & (frame["window_end"] < now), now)
    return frame.assign(live=live, shown_end=ends)


def _session_words(rows: pd.DataFrame, theme: ChartTheme) -> list[list[Any]]:
    began, ended = theme.times(rows["window_start"]), theme.times(rows["window_end"])
    lengths = (rows["window_end"] - rows["window_start"]).dt.total_seconds() * 1000
    columns = zip(began, ended, lengths, rows["live"], rows["user_count"], rows["view_count"], strict=True)
    return [
        [f"{start:%H:%M:%S} – {'still going' if live else f'{end:%H:%M:%S}'}", duration(length), users, views]
        for start, end, length, live, users, views in columns
    ]


def _by_source(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each source, the known sources first and always in the same order."""
    present = list(frame["source"].unique())
    order = [name for name in palette.SOURCES if name in present]
    order += sorted(name for name in present if name not in palette.SOURCES)
    return [(name, frame[frame["source"] == name]) for name in order]
