"""One run, from start to stop: pacer -> events -> Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np

from services.generator.pacing import Pacer, TokenBucket
from services.generator.producer import Publisher
from services.generator.profiles import Constant, Poisson, Profile
from services.generator.source import EventSource
from services.generator.statistics import Statistics
from services.generator.waves import Waves

#: events made in one go before others get their turn on the loop (about 10 ms)
_CHUNK: Final = 5_000
_GAPS: Final = 4096
#: how long to wait for Kafka before looking whether the run shall end
_PATIENCE_S: Final = 0.1
#: more than what adding floating-point seconds can lose, less than anyone can notice
_ROUNDING_S: Final = 1e-6


@dataclass(slots=True)
class Shape:
    """The rate over time: what was asked for, bent by the profile, and by the waves where the profile has its own."""

    rate: float
    profile: Profile
    waves: Waves
    began: float = 0.0

    @property
    def full_speed(self) -> bool:
        """Whether there is no rate to keep: only Kafka sets the pace."""
        return self.rate == 0 and isinstance(self.profile, Constant)

    def at(self, t: float) -> float:
        """Events per second at run time ``t``."""
        rate = self.profile.rate_at(t - self.began, self.rate)
        return rate if self.profile.waves() is None else rate * self.waves.at(t).share


@dataclass(slots=True)
class Run:
    """A run and all that belongs to it. ``work`` ends by itself at ``duration_s``, ``max_events`` or the recording's end."""

    shape: Shape
    pacer: Pacer
    source: EventSource
    publisher: Publisher
    statistics: Statistics
    population: int
    duration_s: float | None
    max_events: int | None
    rng: np.random.Generator
    clock: Callable[[], float] = time.monotonic
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _going: asyncio.Event = field(default_factory=asyncio.Event)
    _worked_s: float = 0.0
    _since: float = 0.0
    _stopping: bool = False

    def begin(self) -> None:
        """The run's time begins; from now on it may be paused, whether ``work`` has had its turn yet or not."""
        self.statistics.begin()
        self.resume()

    async def work(self) -> None:
        """Makes events until the end, or until ``stop``."""
        while not self._stopping:
            if not self._going.is_set():
                await self._going.wait()
                continue
            if self.publisher.full:
                await self.publisher.room(_PATIENCE_S)
                continue
            now, end = self.clock(), self._end()
            allowed = self._allowed()
            over = now >= end
            times = () if over and self.pacer.full_speed else self.pacer.take(min(now, end), allowed)
            if times:
                now_ms = time.time_ns() // 1_000_000
                self.publisher.put(self.source.emit(times, now_ms), now_ms)
                await asyncio.sleep(0)
            elif over or allowed == 0 or self.pacer.exhausted:
                return
            else:
                await self._sleep(self.pacer.wait_s(now))

    def pause(self) -> None:
        self._worked_s += self.clock() - self._since
        self._going.clear()

    def resume(self) -> None:
        self._since = self.clock()
        self.pacer.resume(self._since)
        self._going.set()

    def stop(self) -> None:
        self._stopping = True
        self._going.set()
        self._changed.set()

    def set_rate(self, rate: float) -> None:
        """From now on; what is owed at the old rate up to this moment stays owed."""
        self.shape.rate = rate
        self._apply()

    def set_profile(self, profile: Profile) -> None:
        self.shape.profile = profile
        if isinstance(self.pacer, TokenBucket):
            self.shape.began = self.pacer.position
            self.pacer.set_gaps(exponential(self.rng) if isinstance(profile, Poisson) else None)
        self._apply()

    def target_rate(self) -> float | None:
        """Events per second now; 0 at full speed; None where a recording sets the pace."""
        return self.shape.at(self.pacer.position) if isinstance(self.pacer, TokenBucket) else None

    def _apply(self) -> None:
        if isinstance(self.pacer, TokenBucket):
            self.pacer.full_speed = self.source.full_speed = self.shape.full_speed
        self._changed.set()

    def _end(self) -> float:
        """The moment at which ``duration_s`` of working time are over."""
        if self.duration_s is None:
            return float("inf")
        return self._since + self.duration_s - self._worked_s + _ROUNDING_S

    def _allowed(self) -> int:
        left = _CHUNK if self.max_events is None else self.max_events - self.statistics.sent
        return min(_CHUNK, left)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()


def exponential(rng: np.random.Generator) -> Iterator[float]:
    """Endless exponential numbers with mean 1."""
    while True:
        yield from rng.exponential(size=_GAPS).tolist()
