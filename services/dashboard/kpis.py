"""The six figures on top of the overview, each with its trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from services.dashboard.backend import Backend
from services.dashboard.charts.audience import newest
from services.dashboard.errors import TableMissing
from services.dashboard.format import clock, duration, number, short
from services.dashboard.stale_cache import CachedResult
from services.dashboard.trends import event_age, share_healthy
from services.dashboard.view_state import ViewState


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: its value, a short note under it, and the trend of the last 15 minutes."""

    label: str
    value: str
    note: str
    trend: Sequence[float]
    reading: CachedResult[Any]
    about: str | None = None


def draw(backend: Backend, now: ViewState) -> None:
    """Draws the tiles: they are of now, also where the charts are of other dates."""
    rate, freshness = _live(backend)
    views, sessions = _counts(backend, now.recent)
    made = [rate, _users(backend.countries(now.recent), now.recent), views, sessions, freshness, _pipeline(backend)]
    with st.container(key="tiles"):
        for tile in made:
            _show(tile, now)
    st.caption("Bars: the last 15 minutes, one for each minute, from zero. Totals are since midnight on your clock.")


def _live(backend: Backend) -> list[Tile]:
    generator, newest, history = backend.generator(), backend.newest(), backend.trends
    status = generator.value or {}
    running = status.get("state") == "running" and not generator.stale
    age = event_age(newest)
    known = not generator.stale and bool(status)
    rate = float((status.get("achieved_rate") or {}).get("last_10s") or 0.0) if running else 0.0 if known else None
    return [
        Tile("Events per second", number(rate), _aim(status), history.series("rate"), generator),
        Tile(
            "Event to screen",
            duration(age) if running else "–",
            "age of newest view" if running else "while generating",
            history.series("freshness_ms") if running else [],
            newest,
            about="How old the newest page view was when this page asked Pinot for it.",
        ),
    ]


def _users(countries: CachedResult[pd.DataFrame], now: ViewState) -> Tile:
    users, window, trend = active_users(countries.value, now.zone, now.span().now)
    about = "Distinct users with a complete profile who viewed a page in the newest complete 5-minute window."
    return Tile("Active users", number(users), window, trend, countries, about)


def _counts(backend: Backend, now: ViewState) -> list[Tile]:
    today, tumbling, devices = backend.today(now), backend.tumbling(now), backend.devices(now)
    views, sessions = (today.value.views, today.value.sessions) if today.value else (None, None)
    at = now.span().now
    by_minute = per_minute(tumbling.value, "view_count", at), per_minute(devices.value, "session_count", at)
    return [
        Tile("Page views today", short(views), "since midnight", by_minute[0], today),
        Tile("Sessions today", short(sessions), "since midnight", by_minute[1], today),
    ]


def _pipeline(backend: Backend) -> Tile:
    pipeline = backend.pipeline()
    word, note = pipeline_health(pipeline)
    return Tile("Pipeline", word, note, backend.trends.series("healthy"), pipeline)


def pipeline_health(pipeline: CachedResult[dict[str, Any]]) -> tuple[str, str]:
    """Word and sentence."""
    if pipeline.value is None or pipeline.stale:
        return "Unknown", "unavailable"
    resources = pipeline.value.get("resources") or []
    words = {"ready": "Ready", "degraded": "Degraded", "changing": "Changing", "absent": "Not set up"}
    word = words.get(str(pipeline.value.get("state")))
    return word or "Unknown", f"{round(share_healthy(pipeline) * len(resources))} of {len(resources)} healthy"


def _aim(status: Mapping[str, Any]) -> str:
    state, target = str(status.get("state", "unknown")), status.get("target_rate")
    if state != "running":
        return state
    return f"target {number(target)}" if target else "full speed"


def _show(tile: Tile, now: ViewState) -> None:
    note, colour = _note(tile, now)
    with st.container(border=True, key=f"tile-{tile.label.lower().replace(' ', '-')}"):
        st.metric(
            tile.label,
            tile.value,
            delta=note,
            delta_color=colour,
            delta_arrow="off",
            help=tile.about,
        )
        st.html(bars(tile))


def _note(tile: Tile, now: ViewState) -> tuple[str, Literal["primary", "orange"]]:
    """The note under a figure, with its colour: that it is stale, unless there is no table yet that it could come from."""
    reading = tile.reading
    if reading.stale_since is None:
        return tile.note, "primary"
    if reading.value is None and isinstance(reading.error, TableMissing):
        return "not set up yet", "primary"
    at = clock(reading.stale_since, now.zone)[:5]
    return f"{'no data' if reading.value is None else 'stale'} since {at}", "orange"


def bars(tile: Tile) -> str:
    """The trend as HTML: bars begin at zero, a line would make a drama of one per cent. Empty while there is no trend."""
    most = max(tile.trend, default=0.0)
    if len(tile.trend) < 2 or most <= 0:
        return '<div class="trend"></div>'
    heights = "".join(f'<i style="height: {100 * value / most:.0f}%"></i>' for value in tile.trend)
    words = f"{tile.label}, each of the last {len(tile.trend)} minutes, from zero to {short(most)}"
    return f'<div class="trend" role="img" aria-label="{words}" title="{words}">{heights}</div>'


def active_users(countries: pd.DataFrame | None, zone: str, now_ms: int) -> tuple[int | None, str, list[float]]:
    """Distinct users of the newest complete window, which window that is, and the trend of that figure.

    A user has one country, so the distinct users of the countries of one window add up; those of several windows
    do not. Only users with a complete profile are in this table.
    """
    if countries is None or countries.empty:
        return None, "no window yet", []
    window = newest(countries)
    start, end = (window.iloc[0][name].tz_convert(zone).strftime("%H:%M") for name in ("window_start", "window_end"))
    words = f"open since {start}" if bool(window.iloc[0]["open"]) else f"{start} – {end}"
    complete = countries[~countries["open"]].groupby("window_start")["user_count"].sum()
    return int(window["user_count"].sum()), words, _trend(complete, 5, now_ms)


def per_minute(frame: pd.DataFrame | None, column: str, now_ms: int) -> list[float]:
    """The sum of ``column`` in each complete minute lately, oldest first. For counts that may be summed."""
    if frame is None or frame.empty:
        return []
    return _trend(frame[~frame["open"]].groupby("window_start")[column].sum(), 1, now_ms)


def _trend(sums: pd.Series[float], size: int, now_ms: int) -> list[float]:
    """A value for each of the last minutes that lie in complete windows of ``size`` minutes; 0 where there is no window.

    Of the last 15 minutes 15 - ``size`` surely do, and their windows began within the shortest range of the pages.
    """
    end = pd.Timestamp(now_ms, unit="ms", tz="UTC").floor(f"{size}min")
    minutes = pd.date_range(end=end, periods=16 - size, freq="1min")[:-1]
    values = sums.reindex(minutes.floor(f"{size}min"), fill_value=0)
    return [float(value) for value in values] if values.any() else []
