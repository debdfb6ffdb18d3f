"""What the pages share in this process: one client, one connection to Pinot, one board of last good answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

import pandas as pd
import streamlit as st

from services.dashboard.client import ControlPlane
from services.dashboard.freshness import Board, Reading
from services.dashboard.history import History
from services.dashboard.queries import Span, Totals, Warehouse
from services.dashboard.settings import Settings, get_settings
from services.dashboard.view import RANGES, View


@dataclass(frozen=True, slots=True)
class Backend:
    """Every reading of the pages goes through here, so each has a name, is shared, and is kept when it fails."""

    settings: Settings
    control: ControlPlane
    warehouse: Warehouse
    board: Board
    history: History = field(default_factory=History)

    def generator(self) -> Reading[dict[str, Any]]:
        return self.board.read("generator", self.control.generator_status)

    def seeder(self) -> Reading[dict[str, Any]]:
        return self.board.read("seeder", self.control.seeder_status)

    def user_stats(self) -> Reading[dict[str, Any]]:
        return self.board.read("user stats", self.control.user_stats)

    def pipeline(self) -> Reading[dict[str, Any]]:
        return self.board.read("pipeline", self.control.pipeline_status)

    def profiles(self) -> Reading[dict[str, Any]]:
        return self.board.read("profiles", self.control.profiles)

    def countries(self, view: View) -> Reading[pd.DataFrame]:
        return self.board.read(("countries", view.range), lambda: self.warehouse.countries(view.span()))

    def leaders(self, view: View, countries: Sequence[str]) -> Reading[pd.DataFrame]:
        return self.board.read(("leaders", view.range), lambda: self.warehouse.leaders(view.span(), countries))

    def tumbling(self, view: View) -> Reading[pd.DataFrame]:
        return self.board.read(("tumbling", view.range), lambda: self.warehouse.tumbling(view.span()))

    def hopping(self, view: View) -> Reading[pd.DataFrame]:
        return self.board.read(("hopping", view.range), lambda: self.warehouse.hopping(view.span()))

    def sessions(self, view: View) -> Reading[pd.DataFrame]:
        return self.board.read(("sessions", view.range), lambda: self.warehouse.sessions(view.span()))

    def devices(self, view: View) -> Reading[pd.DataFrame]:
        return self.board.read(("devices", view.range), lambda: self.warehouse.devices(view.span()))

    def today(self, view: View) -> Reading[Totals]:
        return self.board.read(("today", view.zone), lambda: self.warehouse.totals(view.today()))

    def newest(self) -> Reading[int | None]:
        return self.board.read("newest", lambda: self.warehouse.newest_event(Span.last(RANGES["15m"], time())))

    def acted(self) -> None:
        """After an action: the next look at a status asks anew."""
        for key in ("generator", "seeder", "user stats", "pipeline"):
            self.board.forget(key)


@st.cache_resource(show_spinner=False)
def get_backend() -> Backend:
    """The one backend of this process."""
    settings = get_settings()
    return Backend(
        settings=settings,
        control=ControlPlane.connect(settings),
        warehouse=Warehouse.connect(settings),
        board=Board(share_for=settings.share_for.total_seconds()),
    )
