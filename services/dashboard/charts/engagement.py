"""Sessions by device and views per session. A frame has device, window_start, window_end, session_count, open."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from services.dashboard import palette
from services.dashboard.charts.base import Before, ChartTheme, add_before, figure, on_time, stacked


def devices(frame: pd.DataFrame, theme: ChartTheme, before: Before | None = None) -> go.Figure:
    """Sessions that began in each window, stacked by device. A session has one device, so the heights add up."""
    fig = figure(theme, name="devices", y_title="sessions begun")
    return stacked(fig, theme, frame, by="device", measure="session_count", before=before)


def ratio(views: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Views per session for each complete window: window_start, views, sessions, per_session."""
    complete_views = views[~views["open"]].groupby("window_start")["view_count"].sum()
    complete_sessions = sessions[~sessions["open"]].groupby("window_start")["session_count"].sum()
    joined = pd.concat([complete_views.rename("views"), complete_sessions.rename("sessions")], axis=1, join="inner")
    joined = joined[joined["sessions"] > 0].sort_index().rename_axis("window_start").reset_index()
    joined["per_session"] = joined["views"] / joined["sessions"]
    joined.attrs = views.attrs
    return joined


def views_per_session(rows: pd.DataFrame, theme: ChartTheme, before: Before | None = None) -> go.Figure:
    """Page views divided by the sessions that began in the same window; ``rows`` as ``ratio`` makes them."""
    fig = figure(theme, name="views-per-session", y_title="views per session", legend=False)
    fig.add_scatter(
        x=theme.times(rows["window_start"]),
        y=rows["per_session"],
        mode="lines+markers",
        line={"color": palette.ACCENT, "width": 2.5},
        marker={"size": 5},
        customdata=rows[["views", "sessions"]].to_numpy(),
        hovertemplate="%{y:.1f} (%{customdata[0]:,} views, %{customdata[1]:,} sessions)<extra></extra>",
    )
    fig.update_yaxes(tickformat=",.3~r")
    if before is not None:
        add_before(fig, theme, before.frame.set_index("window_start")["per_session"], before.shift_ms)
    return on_time(fig)
