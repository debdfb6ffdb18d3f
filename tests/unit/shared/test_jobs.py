from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.errors import Conflict, NotFound, Unavailable
from shared.jobs import Job, JobTracker
from shared.tasks import TaskSet
from tests.patience import eventually


@pytest.fixture
async def tasks() -> AsyncIterator[TaskSet]:
    async with TaskSet() as tasks:
        yield tasks


@pytest.fixture
def jobs(tasks: TaskSet) -> JobTracker[Job]:
    return JobTracker(tasks, busy=lambda job: Conflict(f"{job.id} is running"), kept=3)


async def nothing(job: Job) -> None:
    return None


async def until_cancelled(job: Job) -> None:
    while True:
        await job.pause(0.005)


async def test_a_job_runs_to_its_end(jobs: JobTracker[Job]) -> None:
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        begun.set()
        await job.checkpoint()

    job = jobs.start(Job(kind="copy"), work)
    assert (job.running, jobs.current, jobs.newest) == (True, job, job)
    await job.finished.wait()

    assert begun.is_set()
    assert (job.state, job.error, jobs.current, jobs.newest) == ("succeeded", None, None, job)
    assert job.finished_at is not None
    assert jobs.get(job.id) is job
    assert jobs.outcomes == {("copy", "succeeded"): 1}


async def test_one_job_at_a_time(jobs: JobTracker[Job]) -> None:
    first = jobs.start(Job(kind="copy"), until_cancelled)

    with pytest.raises(Conflict, match=first.id):
        jobs.start(Job(kind="move"), until_cancelled)

    await jobs.cancel(first)
    assert (first.state, jobs.current) == ("cancelled", None)
    second = jobs.start(Job(kind="move"), nothing)
    await second.finished.wait()
    assert [job.state for job in jobs.all()] == ["succeeded", "cancelled"]


async def test_a_failure_is_kept_with_its_reason(jobs: JobTracker[Job], tasks: TaskSet) -> None:
    async def unavailable(job: Job) -> None:
        raise Unavailable("the database cannot be reached")

    async def broken(job: Job) -> None:
        raise ZeroDivisionError

    known = jobs.start(Job(kind="copy"), unavailable)
    await known.finished.wait()
    unknown = jobs.start(Job(kind="copy"), broken)
    await unknown.finished.wait()

    assert (known.state, known.error) == ("failed", "the database cannot be reached")
    assert isinstance(known.problem, Unavailable)
    assert unknown.state == "failed"
    assert "ZeroDivisionError" in (unknown.error or "")
    await eventually(lambda: [type(e) for e in tasks.failures.values()] == [ZeroDivisionError])


async def test_a_job_that_the_service_stops_has_failed(jobs: JobTracker[Job], tasks: TaskSet) -> None:
    job = jobs.start(Job(kind="copy"), until_cancelled)
    await asyncio.sleep(0)
    await tasks.aclose()

    assert (job.state, jobs.current) == ("failed", None)
    assert job.finished.is_set()


async def test_cancelling_an_ended_job_changes_nothing(jobs: JobTracker[Job]) -> None:
    job = jobs.start(Job(kind="copy"), nothing)
    await job.finished.wait()
    await jobs.cancel(job)

    assert job.state == "succeeded"


async def test_unknown_and_forgotten_jobs_are_not_found(jobs: JobTracker[Job]) -> None:
    started = []
    for _ in range(4):
        started.append(jobs.start(Job(kind="copy"), nothing))
        await started[-1].finished.wait()

    assert jobs.all() == started[:0:-1]
    with pytest.raises(NotFound):
        jobs.get("nonsense")
    with pytest.raises(NotFound):
        jobs.get(started[0].id)
