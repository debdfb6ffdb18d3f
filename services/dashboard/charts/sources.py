"""Traffic by source. A frame has source, window_start, window_end, view_count, user_count, open."""

from __future__ import annotations

from typing import Any, Final, Literal

import pandas as pd
import plotly.graph_objects as go

from services.dashboard.charts.base import Before, ChartTheme, add_before, figure, on_time, patterns, stacked
from services.dashboard.charts.dimension import series, whole
from services.dashboard.format import duration

Measure = Literal["user_count", "view_count"]
WORDS: Final[dict[Measure, str]] = {"user_count": "distinct users", "view_count": "page views"}

#: bars of sessions shorter than this would not be seen
_THINNEST_MS: Final = 1_500
#: the height of the timeline, whatever the number of sources
_TIMELINES_PX: Final = 260


def tumbling(
    frame: pd.DataFrame, theme: ChartTheme, measure: Measure = "user_count", before: Before | None = None
) -> go.Figure:
    """Stacked bars per window and source; open windows hatched.

    Stacked users count a user once per source: the height is not the number of different people.
    """
    fig = figure(theme, name=f"tumbling-{measure}", y_title=WORDS[measure])
    return stacked(fig, theme, frame, by="source", measure=measure, before=before)


def hopping(
    frame: pd.DataFrame, theme: ChartTheme, measure: Measure = "user_count", before: Before | None = None
) -> go.Figure:
    """A smooth line per source at each window's end; the dotted end is the open window that closes next."""
    fig = figure(theme, name=f"hopping-{measure}", y_title=WORDS[measure])
    for one in series(frame, "source", measure):
        rows, source = one.rows, one.label
        complete = rows[~rows["open"]]
        upcoming = rows[rows["open"]].head(1)
        line = {"color": one.colour, "width": 2.5, "shape": "spline", "smoothing": 0.6}
        if len(complete):
            fig.add_scatter(
                x=theme.times(complete["window_end"]),
                y=complete[measure],
                name=source,
                legendgroup=source,
                mode="lines" if len(complete) > 1 else "markers",
                line=line,
                meta=one.whole,
                hovertemplate="%{y:,}<extra>%{meta}</extra>",
            )
        if len(upcoming):
            end = pd.concat([complete.tail(1), upcoming])
            # A source of this minute has an open window only, and is in the legend all the same.
            fig.add_scatter(
                x=theme.times(end["window_end"]),
                y=end[measure],
                name=f"{source} (open)" if len(complete) else source,
                legendgroup=source,
                showlegend=not len(complete),
                mode="lines+markers",
                line={**line, "dash": "dot"},
                marker={"symbol": "circle-open", "size": [0] * (len(end) - 1) + [8], "color": one.colour},
                meta=one.whole,
                hovertemplate="%{y:,} (open)<extra>%{meta}</extra>",
            )
    if before is not None:
        add_before(fig, theme, before.frame.groupby("window_end")[measure].sum(), before.shift_ms)
    return on_time(fig)


def sessions(frame: pd.DataFrame, theme: ChartTheme, *, now_ms: int, gap_ms: int) -> go.Figure:
    """A timeline: each session a bar from its first to its last view; live ones are hatched and reach to now."""
    drawn = live_sessions(frame, now_ms=now_ms, gap_ms=gap_ms)
    timelines = series(drawn, "source", "view_count", summed=False)
    order = [timeline.label for timeline in timelines]
    fig = figure(theme, name="sessions", height=_TIMELINES_PX, legend=False)
    for timeline in timelines:
        rows = timeline.rows
        starts = rows["window_start"]
        lengths = (rows["shown_end"] - starts).dt.total_seconds() * 1000
        fig.add_bar(
            base=theme.times(starts),
            x=lengths.clip(lower=_THINNEST_MS),
            y=[timeline.label] * len(rows),
            orientation="h",
            name=timeline.label,
            width=0.56,
            marker={
                "color": timeline.colour,
                "pattern": patterns(rows["live"]),
                "line": {"color": theme.paper, "width": 1},
            },
            customdata=_session_words(rows, theme),
            hovertemplate="<b>%{customdata[4]}</b> %{customdata[0]}<br>%{customdata[1]}<br>%{customdata[2]:,} users, "
            "%{customdata[3]:,} views<extra></extra>",
        )
        going = rows[rows["live"]]
        if len(going):
            fig.add_scatter(
                x=[theme.time(now_ms)],
                y=[timeline.label],
                mode="markers",
                marker={"symbol": "triangle-right", "size": 13, "color": timeline.colour},
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
    return on_time(fig)


def live_sessions(frame: pd.DataFrame, *, now_ms: int, gap_ms: int) -> pd.DataFrame:
    """Adds ``live`` (another view would still join it) and ``shown_end`` (now, for a live one)."""
    now = pd.Timestamp(now_ms, unit="ms", tz="UTC")
    live = frame["window_end"] + pd.Timedelta(milliseconds=gap_ms) >= now
    ends = frame["window_end"].mask(live & (frame["window_end"] < now), now)
    return frame.assign(live=live, shown_end=ends)


def _session_words(rows: pd.DataFrame, theme: ChartTheme) -> list[list[Any]]:
    began, ended = theme.times(rows["window_start"]), theme.times(rows["window_end"])
    lengths = (rows["window_end"] - rows["window_start"]).dt.total_seconds() * 1000
    names = [whole(source) for source in rows["source"]]
    columns = zip(began, ended, lengths, rows["live"], rows["user_count"], rows["view_count"], names, strict=True)
    return [
        [f"{start:%H:%M:%S} – {'still going' if live else f'{end:%H:%M:%S}'}", duration(length), users, views, name]
        for start, end, length, live, users, views, name in columns
    ]
