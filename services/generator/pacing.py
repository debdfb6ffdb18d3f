"""When the next events are due: a token bucket on the monotonic clock, filled in small fixed steps.

The run has a time of its own that starts at 0. Steps lie on a fixed grid of it, so the due time of event n depends on the
rate and the profile alone: no drift, and the same sequence for the same seed. When production cannot follow, the run's
time is held (``slipped_s``) instead of piling up a debt that would be paid as one burst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Final, Protocol

import numpy as np

#: seconds of one filling step; an event is given at most this late
STEP_S: Final = 0.005
#: a stall up to this long is caught up, so that the average over 10 s stays exact
MAX_LAG_S: Final = 2.0
#: longest sleep, so that a new rate is felt soon
_MAX_WAIT_S: Final = 0.1
#: at full speed the run's time advances as if at this rate
FULL_SPEED: Final = 100_000.0
#: of a token: more than sums of floating-point fractions can lack
_ROUNDING: Final = 1e-9


class Pacer(Protocol):
    slipped_s: float

    @property
    def full_speed(self) -> bool:
        """Whether events are due as fast as they can be made."""

    @property
    def exhausted(self) -> bool:
        """Whether no event will ever be due again."""

    def take(self, now: float, limit: int) -> Sequence[float]:
        """Run times of the events that are due at ``now`` (monotonic seconds), at most ``limit``; the rest stay due."""

    def wait_s(self, now: float) -> float:
        """Seconds until it makes sense to ask again."""

    def resume(self, now: float) -> None:
        """Goes on at ``now`` as if no time had passed."""


class TokenBucket:
    """Paces by a rate that may change. ``rate_at`` gives events per second at a run time; infinity is full speed.

    ``gaps`` are the tokens that each event costs: 1 by default, exponential ones with mean 1 for a Poisson process.
    """

    def __init__(self, rate_at: Callable[[float], float], now: float, gaps: Iterator[float] | None = None) -> None:
        self.rate_at = rate_at
        self.slipped_s = 0.0
        self._gaps = gaps
        self._cost = next(gaps) if gaps else 1.0
        self._anchor = now
        self._step = 0
        self._tokens = 0.0
        self._due: list[float] = []
        self._fast = 0.0

    @property
    def full_speed(self) -> bool:
        return self.rate_at(self.position) == inf

    @property
    def exhausted(self) -> bool:
        return False

    @property
    def position(self) -> float:
        """The run's time up to which events are known."""
        return self._step * STEP_S

    def set_gaps(self, gaps: Iterator[float] | None) -> None:
        self._gaps = gaps
        self._cost = next(gaps) if gaps else 1.0

    def resume(self, now: float) -> None:
        self._anchor = now - self.position

    def take(self, now: float, limit: int) -> Sequence[float]:
        if self.full_speed:
            return self._take_at_full_speed(now, limit)
        self._fill(now, limit)
        taken, self._due = self._due[:limit], self._due[limit:]
        return taken

    def wait_s(self, now: float) -> float:
        if self.full_speed or self._due:
            return 0.0
        step_end = self._anchor + (self._step + 1) * STEP_S - now
        rate = self.rate_at(self.position)
        to_next = (self._cost - self._tokens) / rate - STEP_S if rate > 0 else _MAX_WAIT_S
        return min(max(step_end, step_end + to_next, 0.0), _MAX_WAIT_S)

    def _fill(self, now: float, limit: int) -> None:
        lag = now - self._anchor - self.position
        if lag > MAX_LAG_S:
            self._anchor += lag - MAX_LAG_S
            self.slipped_s += lag - MAX_LAG_S
        while len(self._due) < limit and self._anchor + (self._step + 1) * STEP_S <= now:
            self._fill_one_step()

    def _fill_one_step(self) -> None:
        start = self.position
        rate = self.rate_at(start + STEP_S / 2)
        self._step += 1
        if rate <= 0:
            return
        before, self._tokens = self._tokens, self._tokens + rate * STEP_S
        spent = 0.0
        while self._tokens >= self._cost - _ROUNDING:
            self._tokens -= self._cost
            spent += self._cost
            self._due.append(start + (spent - before) / rate)
            if self._gaps:
                self._cost = next(self._gaps)

    def _take_at_full_speed(self, now: float, limit: int) -> Sequence[float]:
        start = self.position + self._fast
        fresh = max(0, limit - len(self._due))
        taken = [*self._due, *(start + np.arange(1, fresh + 1) / FULL_SPEED).tolist()]
        self._due = []
        self._fast += limit / FULL_SPEED
        whole = int(self._fast / STEP_S)
        self._step += whole
        self._fast -= whole * STEP_S
        self.resume(now)
        return taken


class Timetable:
    """Paces by recorded times (rising, seconds from the start), ``speed`` times as fast."""

    def __init__(self, times: Sequence[float], now: float, *, speed: float = 1.0, loop: bool = False) -> None:
        self.slipped_s = 0.0
        self._times = times
        self._speed = speed
        self._loop = loop
        self._anchor = now
        self._next = 0
        self._round = 0
        #: a second of silence between two rounds
        self._length = times[-1] + 1.0
        self._paused_at = now

    @property
    def full_speed(self) -> bool:
        return False

    @property
    def exhausted(self) -> bool:
        return not self._loop and self._next >= len(self._times)

    def take(self, now: float, limit: int) -> Sequence[float]:
        self._paused_at = now
        taken: list[float] = []
        while len(taken) < limit and not self.exhausted and self._due_at() <= now:
            taken.append(self._times[self._next] + self._round * self._length)
            self._next += 1
            if self._loop and self._next == len(self._times):
                self._next, self._round = 0, self._round + 1
        return taken

    def wait_s(self, now: float) -> float:
        return 0.0 if self.exhausted else min(max(self._due_at() - now, 0.0), _MAX_WAIT_S)

    def resume(self, now: float) -> None:
        self._anchor += now - self._paused_at

    def _due_at(self) -> float:
        return self._anchor + (self._times[self._next] + self._round * self._length) / self._speed
