"""The last quarter of an hour of figures that nobody stores: rate and freshness, as this process saw them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import Final

WINDOW_S: Final = 900.0
#: a faster refresh, or several viewers, add no more samples than this
_SPACING_S: Final = 2.0


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
        """The known values of one figure, oldest first."""
        with self._lock:
            values = [getattr(sample, name) for sample in self._samples]
        return [value for value in values if value is not None]
