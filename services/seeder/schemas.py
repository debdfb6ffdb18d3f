"""What goes over the wire."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.seeder.jobs import JobKind, WriteJob
from services.seeder.seeding import Mode
from shared import jobs
from shared.numbers import WHOLE, Number

MAX_USERS = 1_000_000
MAX_MUTATIONS_PER_S = 2_000
MAX_PAGE = 10_000
#: the largest value of MySQL's INT
MAX_ID = 2**31 - 1
#: the largest integer that every JSON reader keeps exact
MAX_SEED = 2**53 - 1

Fraction = Annotated[Number, Field(ge=0, le=1)]
PerSecond = Annotated[Number, Field(ge=0, le=MAX_MUTATIONS_PER_S)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class SeedRequest(BaseModel):
    """``replace`` (the default) makes the table hold exactly these users, with ids from 1: the same request, the same
    table. ``append`` adds them behind those that are there."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"count": 1000, "seed": 42, "null_fraction": 0.05}]}
    )

    count: Annotated[int, Field(ge=1, le=MAX_USERS), WHOLE] = Field(default=1_000, description="How many users to make")
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), WHOLE] | None = Field(
        default=None, description="The same seed gives the same users"
    )
    null_fraction: Fraction = Field(default=0.05, description="Share of users that lack one or two fields")
    mode: Mode = "replace"


class MutationsRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"updates_per_s": 5, "deletes_per_s": 0, "inserts_per_s": 1, "duration_s": 60}]
        },
    )

    updates_per_s: PerSecond = Field(default=1.0, description="Users that change, per second")
    deletes_per_s: PerSecond = Field(default=0.0, description="Users that go, per second")
    inserts_per_s: PerSecond = Field(default=0.0, description="Users that come, per second")
    duration_s: Annotated[Number, Field(gt=0, le=86_400)] | None = Field(
        default=None, description="Seconds; without it until stopped"
    )
    null_fraction: Fraction = Field(default=0.05, description="Share of changed and new users that lack a field")
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), WHOLE] | None = Field(default=None)


class JobState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @classmethod
    def of(cls, state: jobs.JobState) -> JobState:
        return cls.DONE if state == "succeeded" else cls(state)


class JobStatus(BaseModel):
    id: str = Field(examples=["5f2c8a9be101"])
    kind: JobKind
    state: JobState
    done: int = Field(description="Rows written so far")
    total: int | None = Field(description="Rows to write; null when there is no end")
    rows_per_s: float
    eta_s: float | None = Field(description="Seconds to go at this pace")
    elapsed_s: float
    created_at: datetime
    finished_at: datetime | None
    error: str | None = Field(description="Why it failed")

    @classmethod
    def of(cls, job: WriteJob) -> JobStatus:
        return cls(
            id=job.id,
            kind=job.kind,
            state=JobState.of(job.state),
            done=job.done,
            total=job.total,
            rows_per_s=round(job.rows_per_s, 1),
            eta_s=None if job.eta_s is None else round(job.eta_s, 2),
            elapsed_s=round(job.elapsed_s, 3),
            created_at=job.started_at,
            finished_at=job.finished_at,
            error=job.error,
        )


class JobAnswer(BaseModel):
    job: JobStatus

    @classmethod
    def of(cls, job: WriteJob) -> JobAnswer:
        return cls(job=JobStatus.of(job))


class Deleted(BaseModel):
    deleted: int
    job: JobStatus


class UserDeleted(BaseModel):
    user_id: int
    deleted: bool = Field(description="False: there was no such user")


class MutationsStatus(BaseModel):
    running: bool
    updates_per_s: float
    deletes_per_s: float
    inserts_per_s: float
    updates: int
    deletes: int
    inserts: int
    started_at: datetime
    ends_at: datetime | None


class Status(BaseModel):
    users: int
    with_nulls: int = Field(description="Users that lack at least one field; the pipeline leaves them out")
    newest_update: datetime | None
    job: JobStatus | None = Field(description="The write job that runs, or the last one")
    mutations: MutationsStatus | None


class UserQuery(BaseModel):
    """Which users, and which page of them. Texts are compared exactly: neither case nor blanks at the end are ignored."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=MAX_PAGE)
    after: int = Field(default=0, ge=0, le=MAX_ID, description="Only ids above this one: `next` of the page before")
    country: Name | None = Field(default=None, examples=["Thailand"])
    subscription: Name | None = Field(default=None, examples=["Gold"])
    gender: Name | None = Field(default=None, examples=["Female"])
    complete: bool | None = Field(default=None, description="Only users with every field, or only those without")


class User(BaseModel):
    user_id: int
    age: int | None
    gender: str | None
    country: str | None
    subscription: str | None
    updated_at: datetime


class UserPage(BaseModel):
    users: list[User]
    next: int | None = Field(description="`after` for the next page; null on the last one")
    total: int = Field(description="Users that match, on all pages")


class Age(BaseModel):
    min: int | None
    max: int | None
    mean: float | None


class Stats(BaseModel):
    users: int
    with_nulls: int
    by_country: dict[str, int]
    by_subscription: dict[str, int]
    by_gender: dict[str, int]
    average_age_by_subscription: dict[str, float] = Field(description="Of the users of each tier whose age is known")
    nulls: dict[str, int] = Field(description="Per column, users that lack it")
    age: Age
