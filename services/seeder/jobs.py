"""Write jobs: one at a time, each with its progress, each can be cancelled.

A job checks between its steps whether it shall stop, so that a cancel never cuts a statement in half.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import uuid4

import structlog

from shared.errors import Conflict, NotFound, PagePulseError
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

#: finished jobs that can still be asked for
_KEPT: Final = 100


class JobKind(StrEnum):
    SEED = "seed"
    DELETE = "delete"
    MUTATIONS = "mutations"


class JobState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cancelled(Exception):
    """Raised inside a job by ``checkpoint``; its transaction rolls back on the way out."""


@dataclass(slots=True)
class Job:
    """One job. ``total`` is None when the end is not known; times in seconds of the monotonic clock."""

    kind: JobKind
    total: int | None = None
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    state: JobState = JobState.RUNNING
    done: int = 0
    error: PagePulseError | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    _started: float = field(default_factory=time.monotonic)
    _ended: float | None = None
    _cancel: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def running(self) -> bool:
        return self.state is JobState.RUNNING

    @property
    def elapsed_s(self) -> float:
        return (self._ended if self._ended is not None else time.monotonic()) - self._started

    @property
    def rows_per_s(self) -> float:
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds to go at the present pace; None when that cannot be said."""
        if not self.running or self.total is None or self.done == 0:
            return None
        return max(0.0, (self.total - self.done) / self.rows_per_s)

    def cancel(self) -> None:
        self._cancel.set()

    async def checkpoint(self) -> None:
        """Lets others run. Raises ``Cancelled`` if the job shall stop."""
        await asyncio.sleep(0)
        if self._cancel.is_set():
            raise Cancelled

    async def pause(self, seconds: float) -> None:
        """Sleeps, but wakes and raises ``Cancelled`` as soon as the job shall stop."""
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._cancel.wait()
            except TimeoutError:
                return
        await self.checkpoint()

    def _end(self, state: JobState, error: PagePulseError | None = None) -> None:
        self.state, self.error = state, error
        self._ended, self.finished_at = time.monotonic(), datetime.now(UTC)
        self.finished.set()


class Jobs:
    """Runs write jobs, one at a time, and remembers the last ones."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._tasks = TaskSet()
        self.current: Job | None = None
        self.finished_by_state: dict[JobState, int] = dict.fromkeys(JobState, 0)
        self.rows_written = 0

    def start(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> Job:
        """Runs ``work`` in the background.

        Raises:
            Conflict: another write job runs.
        """
        if self.current is not None and self.current.running:
            running = self.current
            raise Conflict(
                f"A {running.kind} job is running: wait for it or cancel it with DELETE /seeder/jobs/{running.id}.",
                job_id=running.id,
            )
        self._jobs[job.id] = self.current = job
        for old in list(self._jobs)[:-_KEPT]:
            del self._jobs[old]
        self._tasks.start(self._run(job, work), f"{job.kind} {job.id}")
        return job

    def get(self, job_id: str) -> Job:
        """Raises ``NotFound`` for an id that was never given out, or is too old."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NotFound(f"There is no job {job_id!r} (the last {_KEPT} are kept).") from None

    async def cancel(self, job: Job) -> Job:
        """Asks a job to stop and waits until it has; a job that has ended stays as it is."""
        job.cancel()
        await job.finished.wait()
        return job

    async def aclose(self) -> None:
        if self.current is not None and self.current.running:
            await self.cancel(self.current)
        await self._tasks.aclose()

    async def _run(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> None:
        log = _log.bind(job=job.id, kind=job.kind)
        try:
            await work(job)
        except Cancelled:
            job._end(JobState.CANCELLED)
        except PagePulseError as error:
            log.warning("job failed", error=error.detail)
            job._end(JobState.FAILED, error)
        except BaseException as error:
            job._end(JobState.FAILED, PagePulseError(f"An unexpected error: {str(error) or type(error).__name__}"))
            raise
        else:
            job._end(JobState.DONE)
        finally:
            self.finished_by_state[job.state] += 1
        log.info("job ended", state=job.state, rows=job.done, seconds=round(job.elapsed_s, 3))
