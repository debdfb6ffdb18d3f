"""What happened to the events: counts that add up, rates over the last seconds, and how long acknowledgements took."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client.utils import INF

#: seconds that a rate can look back
_MEMORY_S: Final = 10.0
#: acknowledgements that come within this time are counted as one
_GRAIN_S: Final = 0.01
#: percentiles are taken anew at most this often: many may look
_PERCENTILES_EVERY_S: Final = 0.1
#: batches whose latency the percentiles are taken from
_LATENCIES: Final = 4096
#: upper ends of the latency histogram, seconds
LATENCY_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, INF)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds; None before the first acknowledgement."""

    p50: float | None
    p95: float | None
    p99: float | None


class RateMeter:
    """Events per second over a window of at most 10 seconds."""

    def __init__(self, now: float) -> None:
        self._started = now
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, count: int, now: float) -> None:
        if self._seen and now - self._seen[-1][0] < _GRAIN_S:
            since, so_far = self._seen[-1]
            self._seen[-1] = (since, so_far + count)
        else:
            self._seen.append((now, count))
        while self._seen[0][0] < now - _MEMORY_S:
            self._seen.popleft()

    def rate(self, window_s: float, now: float) -> float:
        """Over the last ``window_s`` seconds, or since the start if that is shorter ago."""
        span = min(window_s, now - self._started)
        if span <= 0:
            return 0.0
        return sum(count for at, count in self._seen if at > now - span) / span


class Statistics:
    """Of one run. ``sent`` = ``acknowledged`` + ``failed`` + ``in_flight`` at every moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._ended: float | None = None
        self._meter = RateMeter(self._started)
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._percentiles = Percentiles(None, None, None)
        self._percentiles_at = -INF
        self.latency_counts = [0] * len(LATENCY_BUCKETS)
        self.latency_sum_s = 0.0
        self.sent = 0
        self.acknowledged = 0
        self.failed: Counter[str] = Counter()
        self.sent_by_topic: Counter[str] = Counter()
        self.acknowledged_by_topic: Counter[str] = Counter()
        self.backpressured_s = 0.0
        self.last_error: str | None = None

    @property
    def in_flight(self) -> int:
        return self.sent - self.acknowledged - sum(self.failed.values())

    @property
    def uptime_s(self) -> float:
        return (self._clock() if self._ended is None else self._ended) - self._started

    def begin(self) -> None:
        """Counts the time from now on: connecting is not part of a run."""
        self._started = self._clock()
        self._meter = RateMeter(self._started)

    def acknowledge(self, topic: str, count: int, since: float) -> None:
        """``count`` events are safe; the oldest of them was made at ``since``."""
        now = self._clock()
        latency = now - since
        self.acknowledged += count
        self.acknowledged_by_topic[topic] += count
        self._meter.add(count, now)
        self._latencies.append(latency)
        self.latency_sum_s += latency
        self.latency_counts[next(i for i, end in enumerate(LATENCY_BUCKETS) if latency <= end)] += 1

    def fail(self, cause: str, count: int) -> None:
        self.failed[cause] += count
        self.last_error = cause

    def end(self) -> None:
        self._ended = self._clock()
        self._percentiles_at = -INF

    def rate(self, window_s: float) -> float:
        """Acknowledged events per second over the last ``window_s`` seconds; 0 after the end."""
        return 0.0 if self._ended is not None else self._meter.rate(window_s, self._clock())

    def overall_rate(self) -> float:
        return self.acknowledged / self.uptime_s if self.uptime_s > 0 else 0.0

    def percentiles(self) -> Percentiles:
        """Time from making to acknowledgement of the oldest event of each of the last batches."""
        now = self._clock()
        if self._latencies and now - self._percentiles_at >= _PERCENTILES_EVERY_S:
            ordered = sorted(self._latencies)
            p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1000 for q in (0.50, 0.95, 0.99))
            self._percentiles = Percentiles(round(p50, 2), round(p95, 2), round(p99, 2))
            self._percentiles_at = now
        return self._percentiles
