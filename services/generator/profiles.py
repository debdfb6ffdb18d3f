"""How the rate changes over time. A profile answers the rate at a moment; the pacer adds it up.

``rate`` is what start or PUT /generator/rate asked for, ``t`` the seconds since the profile began.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Annotated, ClassVar, Literal, Protocol, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from services.generator.waves import WaveLengths
from shared.numbers import WHOLE, Number

MAX_RATE = 1_000_000.0
#: random gaps drawn at a time
_GAPS = 4096
_PREVIEW_POINTS = 240

EventsPerSecond = Annotated[Number, Field(ge=0, le=MAX_RATE)]
Seconds = Annotated[Number, Field(gt=0, le=604_800)]


RunT_co = TypeVar("RunT_co", covariant=True)


class RunBuilder(Protocol[RunT_co]):
    """Prepares a run for each kind of profile."""

    async def simulated(self, profile: RateProfile) -> RunT_co:
        """Simulated users at the rate of the profile."""

    async def replayed(self, profile: Replay) -> RunT_co:
        """The events of a recording."""


class RateProfile(BaseModel):
    """A rate over time. It can be changed to another one while a run goes on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    #: whether a rate of 0 means full speed; with any other profile it means a start from nothing
    is_constant: ClassVar[bool] = False

    async def build(self, builder: RunBuilder[RunT_co]) -> RunT_co:
        return await builder.simulated(self)

    def gaps(self, rng: np.random.Generator) -> Iterator[float] | None:
        """The tokens that each event costs (mean 1), where the gaps between events are irregular."""
        return None

    def rate_at(self, t: float, rate: float) -> float:
        """Events per second at ``t``."""
        return rate

    def horizon_s(self) -> float:
        """Seconds after which the shape has been seen."""
        return 60.0

    def preview(self, rate: float) -> list[tuple[float, float]]:
        """(seconds since the profile began, events per second) over the horizon; what is random is at its mean."""
        step = self.horizon_s() / (_PREVIEW_POINTS - 1)
        return [(step * n, self.rate_at(step * n, rate)) for n in range(_PREVIEW_POINTS)]

    def waves(self) -> WaveLengths | None:
        """The waves of the sources, where the profile sets them and the rate follows them."""
        return None


class Constant(RateProfile):
    """The rate as it is."""

    kind: Literal["constant"]
    is_constant: ClassVar[bool] = True


class Ramp(RateProfile):
    """From the rate to another one in a straight line; then it stays there."""

    kind: Literal["ramp"]
    to_rate: EventsPerSecond = Field(examples=[2000])
    over_s: Seconds = Field(examples=[60])

    def rate_at(self, t: float, rate: float) -> float:
        return rate + (self.to_rate - rate) * min(t / self.over_s, 1.0)

    def horizon_s(self) -> float:
        return self.over_s * 1.25


class Step(RateProfile):
    """Up (or down) by the same amount at fixed intervals; then it stays there."""

    kind: Literal["step"]
    by: Number = Field(ge=-MAX_RATE, le=MAX_RATE, examples=[100], description="Events/s per step")
    every_s: Seconds = Field(examples=[30])
    steps: Annotated[int, Field(ge=1, le=10_000), WHOLE] = Field(examples=[5])

    def rate_at(self, t: float, rate: float) -> float:
        return max(0.0, rate + self.by * min(int(t / self.every_s), self.steps))

    def horizon_s(self) -> float:
        return self.every_s * (self.steps + 1)


class Sine(RateProfile):
    """A day, compressed: a wave around the rate, lowest at the start."""

    kind: Literal["sine"]
    period_s: Seconds = Field(default=600.0, examples=[600])
    amplitude: Number = Field(default=0.8, ge=0, le=1, description="Share of the rate")

    def rate_at(self, t: float, rate: float) -> float:
        return rate * (1.0 - self.amplitude * math.cos(2 * math.pi * t / self.period_s))

    def horizon_s(self) -> float:
        return self.period_s * 2


class Spike(RateProfile):
    """A peak that comes and goes; with ``every_s`` again and again."""

    kind: Literal["spike"]
    factor: Number = Field(default=10.0, ge=0, le=1_000, description="Rate during the peak / rate")
    after_s: Number = Field(default=10.0, ge=0, le=604_800, description="Seconds until it comes")
    for_s: Seconds = Field(default=10.0, description="Seconds that it lasts")
    every_s: Seconds | None = Field(default=None, description="Seconds from one peak to the next")

    def rate_at(self, t: float, rate: float) -> float:
        since = t - self.after_s
        if since >= 0 and self.every_s is not None:
            since %= self.every_s
        return rate * self.factor if 0 <= since < self.for_s else rate

    def horizon_s(self) -> float:
        return self.after_s + max(self.for_s * 3, (self.every_s or 0.0) * 2)


class Poisson(RateProfile):
    """The rate on average, with the irregular gaps of independent people (exponential)."""

    kind: Literal["poisson"]

    def gaps(self, rng: np.random.Generator) -> Iterator[float]:
        return chain.from_iterable(rng.exponential(1.0, _GAPS).tolist() for _ in repeat(None))


class Bursts(RateProfile):
    """Campaign waves: each source comes in bursts with pauses of its own, and the rate is that of those that are active."""

    kind: Literal["bursts"]
    burst_s: Seconds = Field(default=20.0, description="Length of a burst, give or take a quarter")
    pause_s: Seconds = Field(default=40.0, description="Length of a pause, give or take a quarter")

    def waves(self) -> WaveLengths:
        return WaveLengths(
            active_s=(self.burst_s * 0.75, self.burst_s * 1.25),
            pause_s=(self.pause_s * 0.75, self.pause_s * 1.25),
            always_one=False,
        )


class Replay(BaseModel):
    """A recorded file (NDJSON, one event's value per line) from the recordings folder, at its own or a scaled pace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["replay"]
    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$", examples=["launch-day.ndjson"])
    speed: Number = Field(default=1.0, gt=0, le=1_000, description="2: twice as fast")
    loop: StrictBool = Field(default=False, description="Begin again at the end, with new session ids")

    async def build(self, builder: RunBuilder[RunT_co]) -> RunT_co:
        return await builder.replayed(self)


#: those that can be switched to while a run goes on
LiveProfile = Annotated[Constant | Ramp | Step | Sine | Spike | Poisson | Bursts, Field(discriminator="kind")]
Profile = Annotated[LiveProfile | Replay, Field(discriminator="kind")]
ALL: tuple[type[RateProfile] | type[Replay], ...] = (Constant, Ramp, Step, Sine, Spike, Poisson, Bursts, Replay)
