"""One run, from start to stop: pacer -> events -> Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Final

import numpy as np

from services.generator.behaviour import Crowd
from services.generator.pacing import Pacer, TokenBucket
from services.generator.profiles import RateProfile, Replay
from services.generator.publisher import Publisher
from services.generator.source import EventSource
from services.generator.statistics import Statistics
from services.generator.waves import Waves
from shared.errors import Conflict

#: events made in one go before others get their turn on the loop (about 10 ms)
_CHUNK: Final = 5_000
#: how long to wait for Kafka before looking whether the run shall end
_PATIENCE_S: Final = 0.1
#: events are made this often at most, except at full speed: they are sent several times less often, and each time costs as much as the
#: making of ten events
_PAUSE_S: Final = 0.025
#: more than what adding floating-point seconds can lose, less than anyone can notice
_ROUNDING_S: Final = 1e-6


@dataclass(slots=True)
class RateControl:
    """The rate over time: what was asked for, shaped by the profile, and by the waves where the profile has its own.

    ``now`` is the start of the run in monotonic seconds.
    """

    rate: float
    profile: RateProfile
    waves: Waves
    rng: np.random.Generator
    now: InitVar[float]
    bucket: TokenBucket = field(init=False)
    _began: float = 0.0

    def __post_init__(self, now: float) -> None:
        self.bucket = TokenBucket(self.at, now, self.profile.gaps(self.rng))

    def at(self, t: float) -> float:
        """Events per second at run time ``t``; infinity at full speed, where only Kafka sets the pace."""
        if self.rate == 0 and self.profile.is_constant:
            return inf
        rate = self.profile.rate_at(t - self._began, self.rate)
        return rate if self.profile.waves() is None else rate * self.waves.at(t).share

    def set_profile(self, profile: RateProfile) -> None:
        """The profile begins at the run's present time."""
        self.profile, self._began = profile, self.bucket.position
        self.bucket.set_gaps(profile.gaps(self.rng))

    def target_rate(self) -> float:
        """Events per second now; 0 at full speed, as in a request."""
        rate = self.at(self.bucket.position)
        return 0.0 if rate == inf else rate


@dataclass(slots=True)
class Run:
    """A run and all that belongs to it. ``work`` ends by itself at ``duration_s``, ``max_events`` or the recording's end."""

    pacer: Pacer
    profile: RateProfile | Replay
    source: EventSource
    publisher: Publisher
    statistics: Statistics
    duration_s: float | None
    max_events: int | None
    #: None where a recording sets the pace
    control: RateControl | None = None
    #: simulated users
    population: int = 0
    #: the users, where they follow the seeder's
    crowd: Crowd | None = None
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
                await self.publisher.until_not_full(_PATIENCE_S)
                continue
            now, end = self.clock(), self._end()
            allowed = self._allowed()
            over = now >= end
            times = () if over and self.pacer.full_speed else self.pacer.take(min(now, end), allowed)
            if times:
                now_ms = time.time_ns() // 1_000_000
                self.publisher.put(self.source.emit(times, now_ms, at_full_speed=self.pacer.full_speed), now_ms)
                await asyncio.sleep(0)
            elif over or allowed == 0 or self.pacer.exhausted:
                return
            else:
                await self._sleep(max(self.pacer.wait_s(now), 0.0 if self.pacer.full_speed else _PAUSE_S))

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
        """From now on; what is owed at the old rate up to this moment stays owed. Raises Conflict during a replay."""
        self._steered().rate = rate
        self._changed.set()

    def set_profile(self, profile: RateProfile) -> None:
        """From now on. Raises Conflict during a replay."""
        self._steered().set_profile(profile)
        self.profile = profile
        self._changed.set()

    def target_rate(self) -> float | None:
        """Events per second now; 0 at full speed; None where a recording sets the pace."""
        return None if self.control is None else self.control.target_rate()

    def _steered(self) -> RateControl:
        if self.control is None:
            raise Conflict("A recording is replayed and sets the pace: stop it, then start with another profile.")
        return self.control

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
