"""The jobs of the provisioner: an apply or a teardown with its steps, an audit with its report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from services.provisioner.errors import StepFailed
from services.provisioner.verify.report import AuditReport, Progress
from shared.errors import PagePulseError
from shared.jobs import Job

ChangeKind = Literal["apply", "teardown"]
#: a run has no checkpoints, so none is ever cancelled
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
class Change(Job):
    """An apply or a teardown."""

    kind: ChangeKind
    steps: list[StepRecord] = field(default_factory=list)

    @property
    def failed_step(self) -> StepRecord | None:
        return next((step for step in self.steps if step.state == "failed"), None)

    @property
    def outcome(self) -> str:
        return "succeeded"

    @property
    def failure(self) -> PagePulseError | None:
        """Why it failed; the problem names the step and the run."""
        if self.state != "failed":
            return None
        name = self.failed_step.resource if self.failed_step else "observe"
        return StepFailed(f"{name}: {self.error}", step=name, run_id=self.id)


@dataclass(slots=True, kw_only=True)
class Audit(Job):
    """A verify; it has a report unless it failed."""

    kind: Literal["verify"] = "verify"
    progress: Progress = field(default_factory=Progress)
    report: AuditReport | None = None

    @property
    def outcome(self) -> str:
        return self.report.verdict if self.report else "succeeded"

    @property
    def failure(self) -> PagePulseError | None:
        return self.problem
