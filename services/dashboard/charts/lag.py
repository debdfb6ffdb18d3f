"""Lag of queries and tables. A frame has name, at (UTC), lag in records."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from services.dashboard import palette
from services.dashboard.charts.base import ChartTheme, figure, on_time
from services.dashboard.charts.dimension import TOP, shortened, whole


def lag_over_time(frame: pd.DataFrame, theme: ChartTheme) -> go.Figure:
    """A line for each of those with the largest lag, and one for the sum of the others."""
    fig = figure(theme, name="lag", height=260, y_title="records")
    largest = frame.groupby("name")["lag"].max().sort_index().sort_values(ascending=False, kind="stable")
    names = largest.index.tolist()
    shown = names if len(names) <= TOP + 1 else names[:TOP]
    others = frame[~frame["name"].isin(shown)].groupby("at", as_index=False)["lag"].sum()
    lines = [
        (frame[frame["name"] == name], shortened(name, 32), whole(name), palette.colour("lag", name))
        for name in sorted(shown)
    ]
    if len(others):
        lines.append((others, f"other ({len(names) - len(shown)})", "the others, added up", palette.OTHER))
    for rows, label, words, colour in lines:
        fig.add_scatter(
            x=theme.times(rows["at"]),
            y=rows["lag"],
            name=label,
            meta=words,
            mode="lines" if len(rows) > 1 else "markers",
            line={"color": colour, "width": 2},
            hovertemplate="%{y:,}<extra>%{meta}</extra>",
        )
    return on_time(fig)
