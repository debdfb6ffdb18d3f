"""What goes over the wire."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.generator.profiles import MAX_RATE, Constant, Profile, Replay
from shared.events import Device, Source

#: below this a rate is a mistake, not a load
MIN_RATE = 0.1

Weight = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[
    float,
    Field(
        ge=0,
        le=MAX_RATE,
        allow_inf_nan=False,
        description="Events per second (page views and logins together); 0: full speed",
    ),
]


def _usable(rate: float, profile: Profile | None) -> None:
    if 0 < rate < MIN_RATE:
        raise ValueError(f"rate must be 0 (full speed) or at least {MIN_RATE}")
    if rate == 0 and not isinstance(profile, Constant | Replay | None):
        raise ValueError(f"the profile {profile.kind!r} needs a rate above 0")


def _some(weights: dict[Any, float], name: str) -> None:
    if sum(weights.values()) <= 0:
        raise ValueError(f"at least one of {name} needs a weight above 0")


class StartRequest(BaseModel):
    """Every field but the rate may be left out."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"rate": 200},
                {"rate": 1000, "late_fraction": 0.03, "duplicate_fraction": 0.01, "malformed_fraction": 0.01},
                {"rate": 50, "profile": {"kind": "ramp", "to_rate": 2000, "over_s": 60}, "duration_s": 120, "seed": 7},
            ]
        },
    )

    rate: Rate = 200.0
    profile: Profile | None = Field(default=None, description="How the rate changes over time; see /generator/profiles")
    duration_s: float | None = Field(default=None, gt=0, le=31_536_000, description="Stop by itself after this long")
    max_events: int | None = Field(default=None, ge=1, le=10**15, description="Stop by itself after this many events")
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1, description="The same request gives the same events")
    users: int | None = Field(default=None, ge=1, le=10_000_000, description="Only this many of the seeder's users")
    skew: float = Field(default=0.8, ge=0, le=5, description="Zipf exponent of the users' activity; 0: all alike")
    late_fraction: Fraction = Field(default=0.0, description="Share of events whose event time lies in the past")
    late_max_s: float = Field(default=60.0, ge=0, le=86_400, description="How late the latest of them are")
    duplicate_fraction: Fraction = Field(default=0.0, description="Share of events that repeat a recent one")
    malformed_fraction: Fraction = Field(default=0.0, description="Share of events that cannot be read")
    sources: dict[Source, Weight] = Field(
        default={Source.HOMEPAGE: 0.5, Source.INBOX: 0.2, Source.EXTERNAL: 0.3}, description="Weights of the sources"
    )
    devices: dict[Device, Weight] = Field(
        default={Device.MOBILE: 0.6, Device.DESKTOP: 0.32, Device.TABLET: 0.08}, description="Weights of the devices"
    )
    waves: bool = Field(
        default=True,
        description="Each source pauses now and then for longer than the session gap, while the others take its share",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> StartRequest:
        _usable(self.rate, self.profile)
        _some(self.sources, "sources")
        _some(self.devices, "devices")
        if self.late_fraction + self.duplicate_fraction + self.malformed_fraction > 1:
            raise ValueError("late_fraction, duplicate_fraction and malformed_fraction together exceed 1")
        return self


class RateRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"rate": 500}]})

    rate: Rate

    @model_validator(mode="after")
    def _makes_sense(self) -> RateRequest:
        _usable(self.rate, None)
        return self


class ProfileRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"profile": {"kind": "sine", "period_s": 120, "amplitude": 0.5}}]},
    )

    profile: Profile = Field(description="Begins now; not replay, which is chosen at the start")

    @model_validator(mode="after")
    def _makes_sense(self) -> ProfileRequest:
        if isinstance(self.profile, Replay):
            raise ValueError("replay cannot be switched to while running: stop, then start with it")  # noqa: TRY004
        return self


class State(StrEnum):
    STOPPED = "stopped"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"


class AchievedRate(BaseModel):
    """Acknowledged events per second."""

    last_1s: float
    last_10s: float
    overall: float


class Latency(BaseModel):
    """Milliseconds from the making of the oldest event of a batch to its acknowledgement by all replicas."""

    p50: float | None
    p95: float | None
    p99: float | None


class MadeEvents(BaseModel):
    """Late, duplicate and malformed events are counted among the page views and sessions too."""

    model_config = ConfigDict(from_attributes=True)

    page_views: int = 0
    user_sessions: int = 0
    late: int = 0
    duplicate: int = 0
    malformed: int = 0


class Status(BaseModel):
    """Of the present run, or of the last one while stopped."""

    state: State
    target_rate: float | None = Field(description="Events per second at this moment; 0: full speed; null: none")
    achieved_rate: AchievedRate
    sent: int = Field(description="Events made and handed over; acknowledged + failed + in flight")
    acknowledged: int
    failed: dict[str, int] = Field(description="Events that are lost, by cause")
    in_flight: int
    backpressured_s: float = Field(description="Seconds in which production waited for Kafka, or fell behind")
    ack_latency_ms: Latency
    made: MadeEvents
    users: int = Field(description="Size of the population")
    profile: dict[str, Any] | None
    started_at: datetime | None
    uptime_s: float
    last_error: str | None


class ProfileDescription(BaseModel):
    kind: str
    summary: str
    parameters: dict[str, Any] = Field(description="JSON schema of its fields")


class Profiles(BaseModel):
    profiles: list[ProfileDescription]
