"""Requests and answers of the generator's API."""

from __future__ import annotations

import inspect
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema

from services.generator.profiles import ALL, MAX_RATE, LiveProfile, Profile
from shared.events import Device, Source
from shared.numbers import WHOLE, Number

#: below this a rate is a mistake, not a load
MIN_RATE = 0.1

#: the largest integer that every JSON reader keeps exact
MAX_INTEGER = 2**53 - 1

Weight = Annotated[Number, Field(gt=0, le=1_000_000)]
Fraction = Annotated[Number, Field(ge=0, le=1)]


def _fast_enough(rate: float) -> float:
    if 0 < rate < MIN_RATE:
        raise ValueError(f"must be 0 or at least {MIN_RATE}")
    return rate


Rate = Annotated[
    Number,
    Field(ge=0, le=MAX_RATE),
    AfterValidator(_fast_enough),
    WithJsonSchema(
        {
            "description": "Events per second, page views and logins together. 0 is full speed with the constant "
            "profile; other profiles start from nothing then.",
            "anyOf": [{"type": "number", "minimum": MIN_RATE, "maximum": MAX_RATE}, {"const": 0}],
        }
    ),
]


class StartRequest(BaseModel):
    """Every field may be left out. Of the faults, duplicates are drawn first, then malformed, then late events."""

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
    duration_s: Annotated[Number, Field(gt=0, le=31_536_000)] | None = Field(
        default=None, description="End the run after this duration"
    )
    max_events: Annotated[int, Field(ge=1, le=MAX_INTEGER), WHOLE] | None = Field(
        default=None, description="End the run after this many events"
    )
    seed: Annotated[int, Field(ge=0, le=MAX_INTEGER), WHOLE] | None = Field(
        default=None, description="The same request gives the same events"
    )
    users: Annotated[int, Field(ge=1, le=10_000_000), WHOLE] | None = Field(
        default=None, description="Only this many of the seeder's users"
    )
    skew: Number = Field(default=0.8, ge=0, le=5, description="Zipf exponent of the users' activity; 0: all alike")
    late_fraction: Fraction = Field(default=0.0, description="Share of events whose event time is in the past")
    late_max_s: Number = Field(default=60.0, ge=0, le=86_400, description="How late the latest of them are")
    duplicate_fraction: Fraction = Field(default=0.0, description="Share of events that repeat a recent one")
    malformed_fraction: Fraction = Field(default=0.0, description="Share of events that cannot be read")
    sources: dict[Source, Weight] = Field(
        default={Source.HOMEPAGE: 0.5, Source.INBOX: 0.2, Source.EXTERNAL: 0.3},
        min_length=1,
        description="Weights of the sources; one that is not named does not occur",
    )
    devices: dict[Device, Weight] = Field(
        default={Device.MOBILE: 0.6, Device.DESKTOP: 0.32, Device.TABLET: 0.08},
        min_length=1,
        description="Weights of the devices; one that is not named does not occur",
    )
    waves: StrictBool = Field(
        default=True,
        description="Each source pauses now and then for longer than the session gap, while the others take its share",
    )


class RateRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"rate": 500}]})

    rate: Rate


class ProfileRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"profile": {"kind": "sine", "period_s": 120, "amplitude": 0.5}}]},
    )

    profile: LiveProfile = Field(description="Begins now; a replay is chosen at the start")


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


class PreviewRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"rate": 200, "profile": {"kind": "ramp", "to_rate": 2000, "over_s": 60}}]},
    )

    rate: Rate = 200.0
    profile: LiveProfile


class PreviewPoint(BaseModel):
    seconds: float = Field(description="Since the profile began")
    rate: float = Field(description="Events per second")


class Preview(BaseModel):
    """What a profile is going to do, until its shape has been seen."""

    points: list[PreviewPoint]


class Profiles(BaseModel):
    profiles: list[ProfileDescription]


def describe_profiles() -> Profiles:
    """Every profile with the JSON schema of its fields, from their own definitions."""
    return Profiles(
        profiles=[
            ProfileDescription(
                kind=profile.model_fields["kind"].annotation.__args__[0],  # type: ignore[union-attr]
                summary=inspect.getdoc(profile) or "",
                parameters=profile.model_json_schema(),
            )
            for profile in ALL
        ]
    )
