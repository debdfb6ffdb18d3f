"""Background jobs: one at a time of its sort, each with its state, its outcome and a way to cancel it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar
from uuid import uuid4

import structlog

from shared.errors import NotFound, PagePulseError
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

JobState = Literal["running", "succeeded", "failed", "cancelled"]


class JobCancelled(Exception):
    """Raised inside a job by ``checkpoint`` and ``pause`` once it shall stop, so that a cancel never cuts a step in half."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One job; ``problem`` is why it failed, ``finished`` is set once its state is final."""

    kind: str
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    state: JobState = "running"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    problem: PagePulseError | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    _began_s: float = field(default_factory=time.monotonic)
    _ended_s: float | None = None
    _cancel: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def error(self) -> str | None:
        return self.problem.detail if self.problem else None

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start until now, or until the end."""
        return (self._ended_s if self._ended_s is not None else time.monotonic()) - self._began_s

    def cancel(self) -> None:
        """Asks the job to stop at its next checkpoint; a job without checkpoints goes on to its end."""
        self._cancel.set()

    async def checkpoint(self) -> None:
        """Lets other tasks run. Raises ``JobCancelled`` if the job shall stop."""
        await asyncio.sleep(0)
        if self._cancel.is_set():
            raise JobCancelled

    async def pause(self, seconds: float) -> None:
        """Sleeps, but wakes and raises ``JobCancelled`` as soon as the job shall stop."""
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._cancel.wait()
            except TimeoutError:
                return
        await self.checkpoint()

    def _end(self, state: JobState, problem: PagePulseError | None = None) -> None:
        self.state, self.problem = state, problem
        self._ended_s, self.finished_at = time.monotonic(), datetime.now(UTC)


J = TypeVar("J", bound=Job)


class JobTracker(Generic[J]):
    """The running job and those before it, ``kept`` of them. A second one at a time is refused with the error of ``busy``."""

    def __init__(self, tasks: TaskSet, *, busy: Callable[[J], PagePulseError], kept: int) -> None:
        self._tasks = tasks
        self._busy = busy
        self._kept = kept
        self._jobs: dict[str, J] = {}
        #: the job that runs
        self.current: J | None = None
        #: finished jobs by kind and state, for metrics
        self.outcomes: Counter[tuple[str, JobState]] = Counter()

    @property
    def newest(self) -> J | None:
        """The job that runs, or the last one."""
        return next(reversed(self._jobs.values()), None)

    def start(self, job: J, work: Callable[[J], Awaitable[None]]) -> J:
        """Runs ``work`` in the background. Raises the error of ``busy`` while another job runs."""
        if self.current is not None:
            raise self._busy(self.current)
        self.current = self._jobs[job.id] = job
        for old in list(self._jobs)[: -self._kept]:
            del self._jobs[old]
        self._tasks.start(self._run(job, work), f"{job.kind} {job.id}")
        return job

    def get(self, job_id: str) -> J:
        """Raises ``NotFound`` for an id that is unknown or too old."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NotFound(
                f"There is no job {job_id!r}; the last {self._kept} are kept, until the service restarts."
            ) from None

    def all(self) -> list[J]:
        """Newest first."""
        return list(reversed(self._jobs.values()))

    async def cancel(self, job: J) -> J:
        """Asks a job to stop and waits until it has; a job that has ended stays as it is."""
        job.cancel()
        await job.finished.wait()
        return job

    async def _run(self, job: J, work: Callable[[J], Awaitable[None]]) -> None:
        try:
            await work(job)
        except JobCancelled:
            job._end("cancelled")
        except PagePulseError as error:
            job._end("failed", error)
        except BaseException as error:
            reason = f"unexpected: {type(error).__name__}: {error}; the service's log has more"
            job._end("failed", PagePulseError(reason))
            raise
        else:
            job._end("succeeded")
        finally:
            self.outcomes[job.kind, job.state] += 1
            self.current = None
            job.finished.set()
            log = _log.warning if job.state == "failed" else _log.info
            log(
                "job ended", kind=job.kind, job=job.id, state=job.state, took_s=round(job.elapsed_s, 3), error=job.error
            )
