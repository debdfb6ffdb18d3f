"""What the API asks for, put together from the store and the jobs."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, Final

from services.seeder.jobs import JobKind, WriteJob
from services.seeder.mutations import Mutations, Pace
from services.seeder.schemas import (
    Age,
    JobStatus,
    MutationsRequest,
    MutationsStatus,
    SeedRequest,
    Stats,
    Status,
    User,
    UserDeleted,
    UserPage,
    UserQuery,
)
from services.seeder.seeding import Seeding, delete_everyone
from services.seeder.settings import Settings
from services.seeder.store import Store
from shared import dimension
from shared.errors import Conflict, NotFound
from shared.jobs import JobTracker
from shared.single_flight import SingleFlight
from shared.tasks import TaskSet

#: finished jobs that can still be asked for
_KEPT: Final = 100


class Seeder:
    """The seeder's one object: owns the jobs, uses the store."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self.store = store
        self._tasks = TaskSet()
        self.jobs: JobTracker[WriteJob] = JobTracker(self._tasks, busy=_busy, kept=_KEPT)
        self.mutations: Mutations | None = None
        self._counts = SingleFlight(self._count)
        self._statistics = SingleFlight(self._stats)

    async def aclose(self) -> None:
        if self.jobs.current is not None:
            await self.jobs.cancel(self.jobs.current)
        await self._tasks.aclose()
        await self._counts.aclose()
        await self._statistics.aclose()
        await self.store.aclose()

    def seed(self, request: SeedRequest) -> WriteJob:
        """Starts a seed job. Raises ``Conflict`` while another write job runs."""
        seeding = Seeding(
            count=request.count,
            seed=request.seed,
            null_fraction=request.null_fraction,
            mode=request.mode,
            chunk=self._settings.seed_chunk,
        )
        return self.jobs.start(WriteJob(kind=JobKind.SEED, total=request.count), partial(seeding.run, store=self.store))

    async def delete_all(self) -> WriteJob:
        """Deletes every user and answers the finished job. Raises what made it fail, or ``Conflict``."""
        work = partial(delete_everyone, store=self.store, chunk=self._settings.seed_chunk)
        return await self.finished(self.jobs.start(WriteJob(kind=JobKind.DELETE), work))

    async def delete_user(self, user_id: int) -> UserDeleted:
        async with self.store.transaction() as transaction:
            deleted = await transaction.delete([user_id])
        return UserDeleted(user_id=user_id, deleted=deleted > 0)

    def mutate(self, request: MutationsRequest) -> WriteJob:
        """Starts changing the table. Raises ``Conflict`` while another write job runs."""
        pace = Pace(request.updates_per_s, request.deletes_per_s, request.inserts_per_s, request.duration_s)
        mutations = Mutations(pace, seed=request.seed, null_fraction=request.null_fraction)
        job = self.jobs.start(WriteJob(kind=JobKind.MUTATIONS), partial(mutations.run, store=self.store))
        self.mutations = mutations
        return job

    async def stop_mutations(self) -> WriteJob:
        """Stops the changes. Raises ``NotFound`` if none are being made."""
        job = self.jobs.current
        if job is None or job.kind is not JobKind.MUTATIONS:
            raise NotFound("No mutations are running; start some with POST /seeder/mutations.")
        return await self.jobs.cancel(job)

    async def finished(self, job: WriteJob) -> WriteJob:
        """Waits for a job. Raises the error that made it fail, ``Conflict`` if someone cancelled it."""
        await job.finished.wait()
        if job.problem is not None:
            raise job.problem
        if job.state == "cancelled":
            raise Conflict(f"The job {job.id} was cancelled; nothing was changed.", job_id=job.id)
        return job

    async def status(self) -> Status:
        row = await self._counts.get()
        newest = self.jobs.newest
        return Status(
            **row,
            job=JobStatus.of(newest) if newest else None,
            mutations=self._mutations_status() if self.mutations else None,
        )

    async def users(self, query: UserQuery) -> UserPage:
        """One page in order of ``user_id``; ``next`` is the ``after`` of the page behind it."""
        parameters = query.model_dump()
        rows = await self.store.fetch_all("page", parameters | {"limit": query.limit + 1})
        total = await self.store.fetch_one("page_total", parameters)
        users = [User(**row) for row in rows[: query.limit]]
        more = len(rows) > query.limit
        return UserPage(users=users, next=users[-1].user_id if more else None, total=total["users"])

    async def stats(self) -> Stats:
        return await self._statistics.get()

    async def _count(self) -> dict[str, Any]:
        return await self.store.fetch_one("status")

    async def _stats(self) -> Stats:
        totals = await self.store.fetch_one("stats_totals")
        groups = {
            column: await self.store.fetch_all(f"stats_by_{column}") for column in ("country", "subscription", "gender")
        }
        by = {column: {row["name"]: row["users"] for row in rows} for column, rows in groups.items()}
        by["country"] = _as_counted(groups["country"])
        ages = {row["name"]: row["average_age"] for row in groups["subscription"]}
        return Stats(
            users=totals["users"],
            with_nulls=totals["with_nulls"],
            by_country=by["country"],
            by_subscription=by["subscription"],
            by_gender=by["gender"],
            nulls={column: totals[f"null_{column}"] for column in ("age", "gender", "country", "subscription")},
            average_age_by_subscription={name: round(age, 2) for name, age in ages.items() if age is not None},
            age=Age(min=totals["min_age"], max=totals["max_age"], mean=totals["mean_age"]),
        )

    def _mutations_status(self) -> MutationsStatus:
        mutations, job = self.mutations, self.jobs.current
        assert mutations is not None  # noqa: S101 - the caller has looked
        return MutationsStatus(
            running=job is not None and job.kind is JobKind.MUTATIONS,
            updates_per_s=mutations.pace.updates_per_s,
            deletes_per_s=mutations.pace.deletes_per_s,
            inserts_per_s=mutations.pace.inserts_per_s,
            updates=mutations.updates,
            deletes=mutations.deletes,
            inserts=mutations.inserts,
            started_at=mutations.started_at,
            ends_at=mutations.ends_at,
        )


def _as_counted(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Users by country under the names that the pipeline counts them by."""
    users: Counter[str] = Counter()
    for row in rows:
        users[dimension.apply(row["name"])] += row["users"]
    return dict(users)


def _busy(job: WriteJob) -> Conflict:
    return Conflict(
        f"A {job.kind} job is running: wait for it or cancel it with DELETE /seeder/jobs/{job.id}.", job_id=job.id
    )
