"""The numbers of the overview, out of frames: pure functions."""

from __future__ import annotations

import pandas as pd

from services.dashboard.charts.audience import newest


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
