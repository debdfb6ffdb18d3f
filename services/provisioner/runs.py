"""Runs: what an apply or a teardown does, step by step, and how far it is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import structlog

from services.provisioner.errors import RunInProgress
from shared.errors import NotFound, PagePulseError
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

#: finished runs that can still be asked for
_KEPT = 50

RunKind = Literal["apply", "teardown"]


@dataclass(slots=True)
class StepRecord:
    """One step of a run; ``attempts`` counts tries, ``took_ms`` is whole milliseconds once it is over."""

    resource: str
    action: str
    state: Literal["pending", "running", "done", "failed", "skipped"] = "pending"
    attempts: int = 0
    started_at: datetime | None = None
    took_ms: int | None = None
    detail: str = ""
    error: str | None = None

    @asynccontextmanager
    async def timed(self) -> AsyncIterator[None]:
        """Marks the step as running, then as done or failed."""
        self.state, self.started_at, begin = "running", datetime.now(UTC), time.monotonic()
        try:
            yield
            self.state = "done"
        except asyncio.CancelledError:
            self.state, self.error = "failed", "the run was stopped"
            raise
        except PagePulseError as error:
            self.state, self.error = "failed", error.detail
            raise
        finally:
            self.took_ms = round((time.monotonic() - begin) * 1000)


@dataclass(slots=True)
class Run:
    """One run; ``error`` is the first failure's."""

    kind: RunKind
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    state: Literal["running", "succeeded", "failed"] = "running"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    steps: list[StepRecord] = field(default_factory=list)
    error: str | None = None

    @property
    def failed_step(self) -> StepRecord | None:
        return next((step for step in self.steps if step.state == "failed"), None)


class Runs:
    """The present run and those before it. One at a time: two would undo each other's work."""

    def __init__(self, tasks: TaskSet) -> None:
        self._tasks = tasks
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._finished: dict[str, asyncio.Event] = {}
        #: finished runs by kind and state, for metrics
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.current: Run | None = None

    def start(self, kind: RunKind, work: Callable[[Run], Awaitable[None]]) -> Run:
        """Begins a run in the background.

        Raises:
            RunInProgress: another one runs; the problem names it.
        """
        if self.current is not None:
            raise RunInProgress(
                f"The {self.current.kind} run {self.current.id} is in progress; ask for it, and come back after its end.",
                run_id=self.current.id,
            )
        run = self.current = Run(kind)
        self._runs[run.id] = run
        self._finished[run.id] = asyncio.Event()
        while len(self._runs) > _KEPT:
            old, _ = self._runs.popitem(last=False)
            self._finished.pop(old, None)
        self._tasks.start(self._follow(run, work), f"{kind} {run.id}")
        return run

    def get(self, run_id: str) -> Run:
        """Raises NotFound for an id that is unknown or too old."""
        if run_id not in self._runs:
            raise NotFound(f"There is no run {run_id!r}; the newest {_KEPT} are kept, until the service restarts.")
        return self._runs[run_id]

    def all(self) -> list[Run]:
        """Newest first."""
        return list(reversed(self._runs.values()))

    async def wait(self, run: Run) -> Run:
        """Until the run is over, however it ends."""
        await self._finished[run.id].wait()
        return run

    async def _follow(self, run: Run, work: Callable[[Run], Awaitable[None]]) -> None:
        try:
            await work(run)
            run.state = "succeeded"
        except PagePulseError as error:
            run.state, run.error = "failed", error.detail
        except BaseException as error:
            run.state, run.error = "failed", f"unexpected: {error or type(error).__name__}"
            raise
        finally:
            run.finished_at = datetime.now(UTC)
            self.outcomes[run.kind, run.state] += 1
            self.current = None
            self._finished[run.id].set()
            _log.info("run over", kind=run.kind, run=run.id, state=run.state, error=run.error)
