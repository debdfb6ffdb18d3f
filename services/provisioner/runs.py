"""Runs: what an apply, a teardown or an audit does in the background, and how far it is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar
from uuid import uuid4

import structlog

from services.provisioner.errors import AuditInProgress, RunInProgress
from services.provisioner.verify.report import AuditReport, Progress
from shared.errors import NotFound, PagePulseError
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

ChangeKind = Literal["apply", "teardown"]
RunState = Literal["running", "succeeded", "failed"]


@dataclass(slots=True)
class StepRecord:
    """One step of a change; ``attempts`` counts tries, ``took_ms`` is whole milliseconds once it is over."""

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


@dataclass(slots=True, kw_only=True)
class Run:
    """One run; ``problem`` is the first failure's."""

    kind: Literal["apply", "teardown", "verify"]
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    state: RunState = "running"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    problem: PagePulseError | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def error(self) -> str | None:
        return self.problem.detail if self.problem else None


@dataclass(slots=True, kw_only=True)
class Change(Run):
    """An apply or a teardown."""

    kind: ChangeKind
    steps: list[StepRecord] = field(default_factory=list)

    @property
    def failed_step(self) -> StepRecord | None:
        return next((step for step in self.steps if step.state == "failed"), None)


@dataclass(slots=True, kw_only=True)
class Audit(Run):
    """A verify; it has a report unless it failed."""

    kind: Literal["verify"] = "verify"
    progress: Progress = field(default_factory=Progress)
    report: AuditReport | None = None


R = TypeVar("R", bound=Run)


class Runs(Generic[R]):
    """The present run of one sort and those before it, ``kept`` of them. One at a time: the second is refused by ``busy``."""

    def __init__(self, tasks: TaskSet, busy: type[RunInProgress | AuditInProgress], kept: int) -> None:
        self._tasks = tasks
        self._busy = busy
        self._kept = kept
        self._runs: OrderedDict[str, R] = OrderedDict()
        #: finished runs by kind and state, for metrics
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.current: R | None = None

    def start(self, run: R, work: Callable[[R], Awaitable[None]]) -> R:
        """Begins a run in the background.

        Raises:
            RunInProgress, AuditInProgress: another one runs; the problem names it.
        """
        if self.current is not None:
            raise self._busy(
                f"The {self.current.kind} run {self.current.id} is in progress; ask for it, and come back after its end.",
                run_id=self.current.id,
            )
        self.current = self._runs[run.id] = run
        while len(self._runs) > self._kept:
            self._runs.popitem(last=False)
        self._tasks.start(self._follow(run, work), f"{run.kind} {run.id}")
        return run

    def get(self, run_id: str) -> R:
        """Raises NotFound for an id that is unknown or too old."""
        if run_id not in self._runs:
            raise NotFound(f"There is no run {run_id!r}; the newest {self._kept} are kept, until the service restarts.")
        return self._runs[run_id]

    def all(self) -> list[R]:
        """Newest first."""
        return list(reversed(self._runs.values()))

    async def _follow(self, run: R, work: Callable[[R], Awaitable[None]]) -> None:
        try:
            await work(run)
            run.state = "succeeded"
        except PagePulseError as error:
            run.state, run.problem = "failed", error
        except BaseException as error:
            run.state = "failed"
            run.problem = PagePulseError(f"unexpected: {type(error).__name__}: {error}; the service's log has more")
            raise
        finally:
            run.finished_at = datetime.now(UTC)
            self.outcomes[run.kind, run.state] += 1
            self.current = None
            run.over.set()
            _log.info("run over", kind=run.kind, run=run.id, state=run.state, error=run.error)
