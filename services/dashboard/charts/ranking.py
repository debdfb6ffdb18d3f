"""Countries, pages and tiers one below the other: users and views as bars, ages as dots.

A window has country, view_count, user_count, average_age, open, most users first (``audience.of_window`` makes it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from services.dashboard import palette
from services.dashboard.charts import dimension
from services.dashboard.charts.base import ChartTheme, figure, patterns

#: px, for the ticks below a flat chart
_AXIS_PX: Final = 26
#: px of a chart that has space for its wide labels
_WIDE_PX: Final = 720


def ranked(window: pd.DataFrame, theme: ChartTheme, top: int = 15, *, axis_space: bool = False) -> go.Figure:
    """The countries with most distinct users in one window, and "other", as bars; ``axis_space``: as high as ``ages``."""
    shown = dimension.ranked(window, "country", "user_count", top=top).iloc[::-1]
    fig = figure(theme, name="ranked", height=_height(top, axis_space=axis_space), legend=False)
    words = [f"{value:,}" for value in shown["user_count"]]
    hover = "<b>%{customdata[1]}</b><br>%{customdata[2]:,} users<br>%{customdata[0]:,} views<extra></extra>"
    _bars(fig, shown.assign(length=shown["user_count"], words=words), ["view_count", "whole", "user_count"], hover)
    _flat(fig, len(shown), axis_space=axis_space)
    return fig


def ages(window: pd.DataFrame, theme: ChartTheme, top: int = 15) -> go.Figure:
    """Average age by country for the countries with most users: the mean over page views, not over users."""
    shown = dimension.ranked(window, "country", "user_count", top=top).iloc[::-1]
    fig = figure(theme, name="ages", height=_height(top, axis_space=True), legend=False)
    fig.add_scatter(
        x=shown["average_age"],
        y=shown["label"],
        mode="markers+text",
        marker={"color": [palette.OTHER if flag else palette.ACCENT for flag in shown["is_other"]], "size": 10},
        text=[f"{value:.1f}" for value in shown["average_age"]],
        textposition="middle right",
        cliponaxis=False,
        customdata=shown[["user_count", "whole"]].to_numpy(),
        hovertemplate="<b>%{customdata[1]}</b><br>average age %{x:.1f}<br>%{customdata[0]:,} users<extra></extra>",
    )
    _flat(fig, len(shown), axis_space=True)
    if len(shown):
        low, high = shown["average_age"].min(), shown["average_age"].max()
        pad = max(2.0, (high - low) * 0.18)
        fig.update_xaxes(range=[low - pad, high + pad], showgrid=True, visible=True, tickformat=".0f", automargin=False)
        fig.update_yaxes(showgrid=True)
    return fig


def pages(frame: pd.DataFrame, theme: ChartTheme, top: int = 10) -> go.Figure:
    """The pages with most views, and "other", as bars; ``frame`` has page and view_count, one row per page.

    Paths are longer than other names: ``plot.js`` writes more of them where the chart is wide.
    """
    shown = dimension.ranked(frame.drop(columns="open"), "page", "view_count", top=top).iloc[::-1]
    fig = figure(theme, name="pages", height=_height(top), legend=False)
    words = [f"{views:,}" for views in shown["view_count"]]
    shares = shown["view_count"] / max(1, shown["view_count"].sum())
    hover = "<b>%{customdata[0]}</b><br>%{text} views (%{customdata[1]:.1%})<extra></extra>"
    _bars(fig, shown.assign(length=shown["view_count"], words=words, share=shares), ["whole", "share"], hover)
    _flat(fig, len(shown))
    fig.update_yaxes(tickmode="array", tickvals=shown["label"], ticktext=shown["label"])
    fig.update_layout(meta={"wide": {"px": _WIDE_PX, "labels": shown["wide_label"].tolist()}})
    return fig


def tiers(stats: Mapping[str, Any]) -> pd.DataFrame:
    """tier, users, average_age (NaN where the seeder does not tell) from the seeder's statistics; most users first."""
    users = stats.get("by_subscription") or {}
    known = stats.get("average_age_by_subscription") or {}
    rows = [(tier, int(count), known.get(tier)) for tier, count in users.items()]
    frame = pd.DataFrame(rows, columns=["tier", "users", "average_age"]).astype({"average_age": "float64"})
    return frame.sort_values(["users", "tier"], ascending=[False, True], ignore_index=True)


def by_tier(frame: pd.DataFrame, theme: ChartTheme) -> go.Figure:
    """The users of the table by subscription, each with its average age; ``frame`` as ``tiers`` makes it."""
    shown = dimension.ranked(frame, "tier", "users", top=dimension.TOP).iloc[::-1]
    fig = figure(theme, name="tiers", height=300, legend=False)
    words = [
        f"{users:,}" if pd.isna(age) else f"{users:,}, age {age:.1f}"
        for users, age in zip(shown["users"], shown["average_age"], strict=True)
    ]
    hover = "<b>%{customdata[0]}</b><br>%{text}<extra></extra>"
    _bars(fig, shown.assign(length=shown["users"], words=words), ["whole"], hover)
    _flat(fig, len(shown))
    fig.update_layout(bargap=0.5)
    # space for the words behind the longest bar
    fig.update_xaxes(range=[0, 1.45 * max([1, *shown["users"]])])
    return fig


def _bars(fig: go.Figure, shown: pd.DataFrame, custom: list[str], hover: str) -> None:
    """Horizontal bars of ``length`` with ``words``, one for each row of ``dimension.ranked``.

    A long "other" is cut and says so: the rest can be compared.
    """
    longest = 1.2 * float(shown.loc[~shown["is_other"], "length"].max()) if len(shown) else 0.0
    for is_other, rows in shown.groupby("is_other", sort=True):
        cut = bool(is_other) and float(rows["length"].max()) > longest
        fig.add_bar(
            x=[longest] if cut else rows["length"],
            y=rows["label"],
            orientation="h",
            marker={
                # one colour for the trace: plotly complains of a list beside a pattern
                "color": palette.OTHER if is_other else palette.ACCENT,
                "pattern": patterns(rows["open"]) if "open" in rows else {},
            },
            text=[f"{word} (bar cut)" if cut else word for word in rows["words"]],
            textposition="inside" if cut else "outside",
            constraintext="none",  # on a phone it would be too small to read
            insidetextanchor="end",
            cliponaxis=False,
            customdata=rows[custom].to_numpy(),
            hovertemplate=hover,
        )
    fig.update_yaxes(categoryorder="array", categoryarray=shown["label"].tolist())


def _height(bars: int, *, axis_space: bool = False) -> int:
    return 24 * max(bars, 4) + 16 + _AXIS_PX * axis_space


def _flat(fig: go.Figure, rows: int, *, axis_space: bool = False) -> None:
    fig.update_xaxes(visible=False, rangemode="tozero", fixedrange=True)
    fig.layout.xaxis.tickformatstops = ()  # those of times
    fig.update_yaxes(
        type="category",
        range=[-0.5, rows - 0.5],
        showgrid=False,
        fixedrange=True,
        tickformat=None,
        nticks=None,
        dtick=1,
    )
    margin = {"l": 0, "r": 40, "t": 8, "b": 8 + _AXIS_PX * axis_space}
    fig.update_layout(hovermode="closest", margin=margin, dragmode=False, bargap=0.3)
