from __future__ import annotations

import asyncio

import pytest

from services.seeder.jobs import Job, JobKind, Jobs, JobState
from shared.errors import Conflict, NotFound, Unavailable


async def until_cancelled(job: Job) -> None:
    while True:
        job.done += 1
        await job.pause(0.005)


async def test_a_job_runs_to_its_end() -> None:
    jobs = Jobs()

    async def work(job: Job) -> None:
        job.done = 5

    job = jobs.start(Job(JobKind.SEED, total=5), work)
    await job.finished.wait()

    assert (job.state, job.done, job.error) == (JobState.DONE, 5, None)
    assert jobs.get(job.id) is job
    assert jobs.finished_by_state[JobState.DONE] == 1


async def test_one_write_job_at_a_time() -> None:
    jobs = Jobs()
    first = jobs.start(Job(JobKind.MUTATIONS), until_cancelled)

    with pytest.raises(Conflict, match=first.id):
        jobs.start(Job(JobKind.SEED), until_cancelled)

    await jobs.cancel(first)
    assert first.state is JobState.CANCELLED
    second = jobs.start(Job(JobKind.SEED), until_cancelled)
    await jobs.aclose()
    assert second.state is JobState.CANCELLED


async def test_a_failure_is_kept_with_its_reason() -> None:
    jobs = Jobs()

    async def away(job: Job) -> None:
        raise Unavailable("the database is away")

    async def broken(job: Job) -> None:
        raise ZeroDivisionError

    known = jobs.start(Job(JobKind.SEED), away)
    await known.finished.wait()
    unknown = jobs.start(Job(JobKind.SEED), broken)
    await unknown.finished.wait()
    await asyncio.sleep(0)

    assert known.error is not None
    assert known.error.detail == "the database is away"
    assert unknown.error is not None
    assert "ZeroDivisionError" in unknown.error.detail
    assert unknown.state is JobState.FAILED


async def test_cancelling_an_ended_job_changes_nothing() -> None:
    jobs = Jobs()

    async def work(job: Job) -> None:
        return None

    job = jobs.start(Job(JobKind.SEED), work)
    await job.finished.wait()
    await jobs.cancel(job)

    assert job.state is JobState.DONE


async def test_progress_tells_the_pace_and_the_end() -> None:
    job = Job(JobKind.SEED, total=200)
    assert (job.done, job.eta_s) == (0, None)
    job.done = 100
    await asyncio.sleep(0.02)

    before = job.elapsed_s
    eta_s = job.eta_s
    assert job.rows_per_s > 0
    assert eta_s is not None
    # half is done, so as much time is left as has gone by, which moves on between the looks
    assert before - 1e-6 <= eta_s <= job.elapsed_s + 1e-6


async def test_unknown_and_forgotten_jobs_are_not_found() -> None:
    jobs = Jobs()

    async def work(job: Job) -> None:
        return None

    first = jobs.start(Job(JobKind.SEED), work)
    await first.finished.wait()
    for _ in range(100):
        await jobs.start(Job(JobKind.SEED), work).finished.wait()

    with pytest.raises(NotFound):
        jobs.get("nonsense")
    with pytest.raises(NotFound):
        jobs.get(first.id)
