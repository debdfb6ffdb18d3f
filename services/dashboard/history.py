"""The last quarter of an hour of figures that nobody stores: rate, freshness and health, as this process saw them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import fmean
from threading import Lock
from typing import Final

WINDOW_S: Final = 900.0
#: a faster refresh, or several viewers, add no more samples than this
_SPACING_S: Final = 2.0
#: a trend has a bar for each minute
_BUCKET_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """``at`` is epoch seconds; a figure that was not known then is None."""

    at: float
    rate: float | None
    freshness_ms: float | None
    healthy: float | None


class History:
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

    def series(self, name: str) -> list[float]:
        """The means of one figure over a minute each, oldest first; 0, which is no bar, where nothing is known; [] if nothing is at all."""
        with self._lock:
            samples = list(self._samples)
        buckets: dict[int, list[float]] = {}
        for sample in samples:
            value = getattr(sample, name)
            if value is not None:
                buckets.setdefault(int(sample.at // _BUCKET_S), []).append(value)
        if not buckets:
            return []
        last = max(buckets)
        first = last - int(WINDOW_S / _BUCKET_S) + 1
        return [fmean(buckets[n]) if n in buckets else 0.0 for n in range(first, last + 1)]
