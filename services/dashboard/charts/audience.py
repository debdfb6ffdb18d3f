"""Users by country. A frame has country, window_start, window_end, view_count, user_count, average_age, open."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from services.dashboard import palette
from services.dashboard.charts.base import ChartTheme, figure, on_time
from services.dashboard.charts.dimension import shortened, whole

#: so few windows that each has its own tick
_FEW: Final = 8


@cache
def _codes() -> dict[str, str]:
    """Name or code, case folded -> alpha-3 code."""
    known = tomllib.loads(files(__package__).joinpath("countries.toml").read_text(encoding="utf-8"))
    return {name.casefold(): code for code, names in known.items() for name in (code, *names)}


def iso3(country: str) -> str | None:
    """The ISO 3166 alpha-3 code of a country's English name or code; None where it is unknown."""
    return _codes().get(country.strip().casefold())


def of_window(frame: pd.DataFrame, *, complete: bool) -> pd.DataFrame:
    """The rows of one window: the newest complete one, or the newest that is still open; most users first."""
    chosen: pd.DataFrame = frame[frame["open"] != complete]
    if chosen.empty:
        return chosen
    newest: pd.DataFrame = chosen[chosen["window_start"] == chosen["window_start"].max()]
    return newest.sort_values(["user_count", "country"], ascending=[False, True], ignore_index=True)


def newest(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the newest complete window, or of the open one while none is complete."""
    complete = of_window(frame, complete=True)
    return of_window(frame, complete=False) if complete.empty else complete


def world(window: pd.DataFrame, theme: ChartTheme) -> go.Figure:
    """A choropleth of distinct users in one window."""
    fig = figure(theme, name="world", height=420, legend=False)
    fig.update_layout(meta={"aspect": 0.66})  # a phone gets a lower one
    known = by_code(window)
    quiet = {"color": theme.paper, "width": 0.4}
    fig.add_choropleth(
        locationmode="ISO-3",
        locations=known["code"].tolist(),
        z=known["user_count"].tolist(),
        zmin=0,
        zmax=max(1, int(known["user_count"].max())) if len(known) else 1,
        customdata=known.assign(country=known["country"].map(whole))[
            ["country", "view_count", "average_age"]
        ].to_numpy(),
        colorscale=palette.scale(theme.dark),
        marker_line=quiet,
        colorbar={
            "orientation": "h",
            "thickness": 8,
            "len": 0.4,
            "y": -0.02,
            "yanchor": "top",
            "x": 0.02,
            "xanchor": "left",
            "title": {"text": "distinct users", "side": "top", "font": {"size": 12, "color": theme.muted}},
            "tickfont": {"color": theme.muted},
            "outlinewidth": 0,
            "nticks": 5,
        },
        hovertemplate="<b>%{customdata[0]}</b><br>%{z:,} users<br>%{customdata[1]:,} views"
        "<br>average age %{customdata[2]:.1f}<extra></extra>",
    )
    fig.update_geos(
        projection_type="natural earth",
        showland=True,
        landcolor=palette.no_data(theme.dark),
        showcountries=True,
        countrycolor=theme.paper,
        countrywidth=0.5,
        showcoastlines=False,
        showframe=False,
        bgcolor="rgba(0,0,0,0)",
        lataxis_range=[-58, 84],
        uirevision="world",
    )
    fig.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 44}, hovermode="closest", dragmode="pan")
    return fig


def by_code(window: pd.DataFrame) -> pd.DataFrame:
    """The rows whose country has an ISO code, one for each ``code``: spellings of one country are added up, and all are named."""
    coded = window.assign(code=window["country"].map(iso3)).dropna(subset=["code"])
    weighted = coded.assign(ages=coded["average_age"] * coded["view_count"])
    joined = weighted.groupby("code", sort=False, as_index=False).agg(
        country=("country", " + ".join),
        user_count=("user_count", "sum"),
        view_count=("view_count", "sum"),
        ages=("ages", "sum"),
    )
    return joined.assign(average_age=joined["ages"] / joined["view_count"].clip(lower=1))


def leading(frame: pd.DataFrame, top: int = 5) -> list[str]:
    """The countries with most users in the newest window."""
    return [str(country) for country in newest(frame).head(top)["country"]]


def over_time(frame: pd.DataFrame, theme: ChartTheme, top: int = 5) -> go.Figure:
    """Distinct users per window of the countries that lead in the newest complete one, or in the open one if none is."""
    fig = figure(theme, name="countries-over-time", height=300, y_title="distinct users")
    for value in leading(frame, top):
        rows = frame[frame["country"] == value]
        country, colour = shortened(value), palette.colour("country", value)
        complete, still_open = rows[~rows["open"]], rows[rows["open"]]
        fig.add_scatter(
            x=theme.times(complete["window_start"]),
            y=complete["user_count"],
            name=country,
            legendgroup=country,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 5},
            meta=whole(value),
            hovertemplate="%{y:,}<extra>%{meta}</extra>",
        )
        # not joined to the line: the fall would only say that the window is young
        fig.add_scatter(
            x=theme.times(still_open["window_start"]),
            y=still_open["user_count"],
            name=country if complete.empty else f"{country} (open)",
            legendgroup=country,
            showlegend=complete.empty,
            mode="markers",
            marker={"size": 9, "symbol": "circle-open", "color": colour, "line": {"width": 2}},
            meta=whole(value),
            hovertemplate="%{y:,} (open)<extra>%{meta}</extra>",
        )
    starts = frame["window_start"].drop_duplicates()
    if len(starts) <= _FEW:
        fig.update_xaxes(
            tickmode="array", tickvals=theme.times(starts), ticktext=[f"{at:%H:%M}" for at in theme.times(starts)]
        )
    return on_time(fig)
