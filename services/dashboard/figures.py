"""The numbers of the overview, out of frames: pure functions."""

from __future__ import annotations

import pandas as pd

from services.dashboard.charts.audience import of_window


def newest(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the newest complete window, or of the open one while none is complete."""
    complete = of_window(frame, complete=True)
    return of_window(frame, complete=False) if complete.empty else complete


def active_users(countries: pd.DataFrame | None, zone: str) -> tuple[int | None, str, list[float]]:
    """Distinct users of the newest complete window, which window that is, and the same for each window of the frame.

    A user has one country, so the distinct users of the countries of one window add up; those of several windows
    do not. Only users with a complete profile are in this table.
    """
    if countries is None or countries.empty:
        return None, "no window yet", []
    window = newest(countries)
    start, end = (window.iloc[0][name].tz_convert(zone).strftime("%H:%M") for name in ("window_start", "window_end"))
    words = f"{start} – {end}" + (", still open" if bool(window.iloc[0]["open"]) else "")
    complete = countries[~countries["open"]].groupby("window_start")["user_count"].sum()
    return int(window["user_count"].sum()), words, [float(value) for value in complete]


def per_window(frame: pd.DataFrame | None, column: str = "view_count", last: int = 15) -> list[float]:
    """The sum of ``column`` in each of the ``last`` complete windows, oldest first. For counts that may be summed."""
    if frame is None or frame.empty:
        return []
    sums = frame[~frame["open"]].groupby("window_start")[column].sum()
    return [float(value) for value in sums.tail(last)]
