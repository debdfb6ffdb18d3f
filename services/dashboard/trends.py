"""The last quarter of an hour of figures that no server stores: rate, freshness, health and lags, sampled by this process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from threading import Lock
from typing import Any, Final, Literal, Protocol

import pandas as pd
import structlog

from services.dashboard.stale_cache import CachedResult

WINDOW_S: Final = 900.0
#: four for each bar of a trend, and little load while no page is open
EVERY_S: Final = 15.0
#: a faster refresh, or several viewers, add no more samples than this
_SPACING_S: Final = 2.0
#: a trend has a bar for each minute
_BUCKET_S: Final = 60.0

Figure = Literal["rate", "freshness_ms", "healthy"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """``at`` is epoch seconds; a figure that was not known then is None. ``lags``: records not yet read, by query or table.
    ``target``: the rate asked for, where there is one."""

    at: float
    rate: float | None
    freshness_ms: float | None
    healthy: float | None
    lags: Mapping[str, float] = field(default_factory=dict)
    target: float | None = None


class Trends:
    """Bounded in time and so in number; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._samples: deque[Sample] = deque(maxlen=int(WINDOW_S / _SPACING_S) + 1)

    def add(self, sample: Sample) -> None:
        """Keeps ``sample`` unless the last one is too near."""
        with self._lock:
            if self._samples and sample.at - self._samples[-1].at < _SPACING_S:
                return
            self._samples.append(sample)
            while self._samples and sample.at - self._samples[0].at > WINDOW_S:
                self._samples.popleft()

    def samples(self) -> list[Sample]:
        """Oldest first."""
        with self._lock:
            return list(self._samples)

    def series(self, name: Figure) -> list[float]:
        """The means of one figure over a minute each, oldest first; 0, which is no bar, where nothing is known; [] if nothing is at all."""
        buckets: dict[int, list[float]] = {}
        for sample in self.samples():
            value = getattr(sample, name)
            if value is not None:
                buckets.setdefault(int(sample.at // _BUCKET_S), []).append(value)
        if not buckets:
            return []
        last = max(buckets)
        first = last - int(WINDOW_S / _BUCKET_S) + 1
        return [fmean(buckets[n]) if n in buckets else 0.0 for n in range(first, last + 1)]

    def lags(self) -> pd.DataFrame:
        """name, at (UTC), lag: each query's and table's lag in records, as it was sampled."""
        rows = [(name, sample.at, lag) for sample in self.samples() for name, lag in sample.lags.items()]
        frame = pd.DataFrame(rows, columns=["name", "at", "lag"])
        frame["at"] = pd.to_datetime(frame["at"], unit="s", utc=True).dt.floor("ms")  # plotly warns of nanoseconds
        return frame


class Sampled(Protocol):
    @property
    def trends(self) -> Trends: ...

    def sample(self) -> Sample:
        """The present figures. Blocks."""


async def watch(connect: Callable[[], Sampled]) -> None:
    """Adds samples to the trends until cancelled. The calls block, so each is made in a thread."""
    sampled = await asyncio.to_thread(connect)
    while True:
        try:
            sampled.trends.add(await asyncio.to_thread(sampled.sample))
        except Exception:
            # a trend with a gap is better than none from here on
            _log.exception("a sample failed")
        await asyncio.sleep(EVERY_S)


def event_age(newest: CachedResult[int | None]) -> float | None:
    """Milliseconds from the newest event to the moment Pinot was asked; None if that is not known now."""
    if newest.stale or newest.value is None or newest.taken_at is None:
        return None
    return max(0.0, newest.taken_at * 1000 - newest.value)


def share_healthy(pipeline: CachedResult[dict[str, Any]]) -> float:
    """Share of the pipeline's resources that are healthy, 0 to 1."""
    if pipeline.value is None or pipeline.stale:
        return 0.0
    resources = pipeline.value.get("resources") or []
    healthy = sum(1 for resource in resources if resource.get("state") == "ok")
    return healthy / len(resources) if resources else 0.0


def lags(pipeline: Mapping[str, Any]) -> dict[str, float]:
    """Records not yet read, by "query pageview_tumbling" or "table pageview_tumbling"; only those whose lag is known."""
    kinds = {"query": "query", "pinot_table": "table"}
    found: dict[str, float] = {}
    for resource in pipeline.get("resources") or []:
        facts = resource.get("facts") or {}
        lag = facts.get("lag", facts.get("offset_lag"))
        if resource.get("kind") in kinds and lag is not None:
            found[f"{kinds[resource['kind']]} {resource['name']}"] = float(lag)
    return found
