"""What the pages share in this process: one client, one connection to Pinot, one board of last good answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

import pandas as pd
import streamlit as st

from services.dashboard.client import ControlPlane
from services.dashboard.queries import Span, Totals, Warehouse
from services.dashboard.settings import Settings, get_settings
from services.dashboard.stale_cache import CachedResult, StaleCache
from services.dashboard.trends import Trends
from services.dashboard.view_state import RANGES, ViewState


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

    def pipeline(self) -> CachedResult[dict[str, Any]]:
        return self.cache.read("pipeline", self.control.pipeline_status)

    def profiles(self) -> CachedResult[dict[str, Any]]:
        return self.cache.read("profiles", self.control.profiles)

    def countries(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("countries", view.range), lambda: self.warehouse.countries(view.span()))

    def leaders(self, view: ViewState, countries: Sequence[str]) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("leaders", view.range), lambda: self.warehouse.leaders(view.span(), countries))

    def tumbling(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("tumbling", view.range), lambda: self.warehouse.tumbling(view.span()))

    def hopping(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("hopping", view.range), lambda: self.warehouse.hopping(view.span()))

    def sessions(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("sessions", view.range), lambda: self.warehouse.sessions(view.span()))

    def devices(self, view: ViewState) -> CachedResult[pd.DataFrame]:
        return self.cache.read(("devices", view.range), lambda: self.warehouse.devices(view.span()))

    def today(self, view: ViewState) -> CachedResult[Totals]:
        return self.cache.read(("today", view.zone), lambda: self.warehouse.totals(view.today()))

    def newest(self) -> CachedResult[int | None]:
        return self.cache.read("newest", lambda: self.warehouse.newest_event(Span.last(RANGES["15m"], time())))

    def acted(self) -> None:
        """After an action: the next look at a status asks anew."""
        for key in ("generator", "seeder", "user stats", "pipeline"):
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
