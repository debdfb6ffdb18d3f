"""What the pages share in this process: one client, one connection to Pinot, the last good answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any, Literal

import pandas as pd
import streamlit as st

from services.dashboard.client import ControlPlane
from services.dashboard.queries import Span, Totals, Warehouse
from services.dashboard.settings import Settings, get_settings
from services.dashboard.stale_cache import CachedResult, StaleCache
from services.dashboard.trends import Sample, Trends, event_age, lags, share_healthy
from services.dashboard.view_state import ViewState

Table = Literal["tumbling", "hopping", "devices"]


@dataclass(frozen=True, slots=True)
class Backend:
    """Every reading of the pages goes through here, so each has a name, is shared, and is kept when it fails."""

    settings: Settings
    control: ControlPlane
    warehouse: Warehouse
    cache: StaleCache
    trends: Trends = field(default_factory=Trends)

    def generator(self) -> CachedResult[dict[str, Any]]:
        return self.cache.read("generator", self.control.generator_status)

    def seeder(self) -> CachedResult[dict[str, Any]]:
        return self.cache.read("seeder", self.control.seeder_status)

    def user_stats(self) -> CachedResult[dict[str, Any]]:
        return self.cache.read("user stats", self.control.user_stats)

    def collector(self) -> CachedResult[dict[str, Any]]:
        return self.cache.read("collector", self.control.collector_status)

    def pipeline(self, *, attention: bool = True) -> CachedResult[dict[str, Any]]:
        return self.cache.read("pipeline", lambda: self.control.pipeline_status(attention=attention))

    def audit(self) -> CachedResult[dict[str, Any]]:
        return self.cache.read("last audit", self.control.audit)

    def profiles(self) -> CachedResult[dict[str, Any]]:
        return self.cache.read("profiles", self.control.profiles)

    def countries(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("countries", *view.key), lambda: self.warehouse.countries(view.span()))

    def before(self, table: Table, view: ViewState) -> CachedResult[pd.DataFrame]:
        """The rows of the period before the view's; none if it is not to be compared."""
        if not view.compare:
            return CachedResult()
        ask = getattr(self.warehouse, table)
        return self.cache.read(("before", table, *view.key), lambda: ask(view.span().before()))

    def events(self) -> list[dict[str, Any]]:
        """What happened to load and pipeline lately, oldest first; a service that is unavailable adds nothing."""
        asked = (("changes", self.control.generator_changes), ("events", self.control.pipeline_events))
        found = [self.cache.read(key, ask).value or {} for key, ask in asked]
        return sorted((event for each in found for event in each.get("events") or []), key=lambda event: event["at_ms"])

    def preview(self, profile: Mapping[str, Any], rate: float) -> CachedResult[dict[str, Any]]:
        key = ("preview", repr(sorted(profile.items())), rate)
        return self.cache.read(key, lambda: self.control.preview(profile, rate))

    def leaders(self, view: ViewState, countries: Sequence[str]) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("leaders", *view.key), lambda: self.warehouse.leaders(view.span(), countries))

    def tumbling(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("tumbling", *view.key), lambda: self.warehouse.tumbling(view.span()))

    def hopping(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("hopping", *view.key), lambda: self.warehouse.hopping(view.span()))

    def sessions(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("sessions", *view.key), lambda: self.warehouse.sessions(view.span()))

    def devices(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("devices", *view.key), lambda: self.warehouse.devices(view.span()))

    def pages(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("pages", *view.key), lambda: self.warehouse.pages(view.span()))

    def today(self, view: ViewState) -> CachedResult[Totals]:
        return self.cache.read(("today", view.zone), lambda: self.warehouse.totals(view.today()))

    def newest(self) -> CachedResult[int | None]:
        return self.cache.read("newest", lambda: self.warehouse.newest_event(Span.last(900, time())))

    def sample(self) -> Sample:
        """The present figures for the trends, without keeping the provisioner busy while no page is open. Never raises a
        PagePulseError."""
        generator, newest, pipeline = self.generator(), self.newest(), self.pipeline(attention=False)
        status = generator.value or {}
        running = status.get("state") == "running" and not generator.stale
        return Sample(
            at=time(),
            rate=float((status.get("achieved_rate") or {}).get("last_10s") or 0.0) if running else 0.0,
            freshness_ms=event_age(newest) if running else None,
            healthy=share_healthy(pipeline),
            lags={} if pipeline.stale else lags(pipeline.value or {}),
            target=status.get("target_rate") if running else None,
        )

    def acted(self) -> None:
        """After an action: the next read of a status is a new request."""
        for key in ("generator", "changes", "seeder", "user stats", "pipeline", "events", "last audit"):
            self.cache.forget(key)


@st.cache_resource(show_spinner=False)
def get_backend() -> Backend:
    """The one backend of this process."""
    settings = get_settings()
    return Backend(
        settings=settings,
        control=ControlPlane.connect(settings),
        warehouse=Warehouse.connect(settings),
        cache=StaleCache(share_for=settings.share_for.total_seconds()),
    )
