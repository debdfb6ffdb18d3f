"""The six figures on top of the overview, each with its trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from services.dashboard.backend import Backend
from services.dashboard.figures import active_users, per_minute
from services.dashboard.format import clock, duration, number, short
from services.dashboard.freshness import Reading
from services.dashboard.sampler import event_age, share_right
from services.dashboard.view import View


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: its value, a short note under it, and the trend of the last 15 minutes."""

    label: str
    value: str
    note: str
    trend: Sequence[float]
    reading: Reading[Any]
    about: str | None = None


def draw(backend: Backend, now: View, tumbling: Reading[pd.DataFrame], countries: Reading[pd.DataFrame]) -> None:
    """Draws the tiles."""
    rate, freshness = _live(backend)
    views, sessions = _counts(backend, now, tumbling)
    made = [rate, _users(countries, now), views, sessions, freshness, _pipeline(backend)]
    with st.container(key="tiles"):
        for tile in made:
            _show(tile, now)


def _live(backend: Backend) -> list[Tile]:
    generator, newest, history = backend.generator(), backend.newest(), backend.history
    status = generator.value or {}
    running = status.get("state") == "running" and not generator.stale
    age = event_age(newest)
    rate = float((status.get("achieved_rate") or {}).get("last_10s") or 0.0) if running else 0.0
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


def _users(countries: Reading[pd.DataFrame], now: View) -> Tile:
    users, window, trend = active_users(countries.value, now.zone, now.span().now)
    about = "Distinct users with a complete profile who viewed a page in the newest complete 5-minute window."
    return Tile("Active users", number(users), window, trend, countries, about)


def _counts(backend: Backend, now: View, tumbling: Reading[pd.DataFrame]) -> list[Tile]:
    today, devices = backend.today(now), backend.devices(now)
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
    return Tile("Pipeline", word, note, backend.history.series("healthy"), pipeline)


def pipeline_health(pipeline: Reading[dict[str, Any]]) -> tuple[str, str]:
    """Word and sentence."""
    if pipeline.value is None or pipeline.stale:
        return "Unknown", "cannot be asked"
    resources = pipeline.value.get("resources") or []
    word = {"ready": "Ready", "degraded": "Degraded", "absent": "Not set up"}.get(str(pipeline.value.get("state")))
    return word or "Unknown", f"{round(share_right(pipeline) * len(resources))} of {len(resources)} are right"


def _aim(status: Mapping[str, Any]) -> str:
    state, target = str(status.get("state", "unknown")), status.get("target_rate")
    if state != "running":
        return state
    return f"target {number(target)}" if target else "as fast as it can"


def _show(tile: Tile, now: View) -> None:
    since = tile.reading.stale_since
    st.metric(
        tile.label,
        tile.value,
        delta=tile.note if since is None else f"stale since {clock(since, now.zone)[:5]}",
        delta_color="primary" if since is None else "orange",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=tile.about,
        chart_data=list(tile.trend) if len(tile.trend) > 1 else None,
        # bars begin at zero: a line would make a drama of one per cent
        chart_type="bar",
    )
