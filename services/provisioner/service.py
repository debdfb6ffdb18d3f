"""The provisioner: everything that its API offers, in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from services.provisioner.apply import Applier
from services.provisioner.decoding import key_decoders
from services.provisioner.errors import AuditInProgress, StepFailed
from services.provisioner.pipeline import Servers, build
from services.provisioner.plan import Plan
from services.provisioner.render import load
from services.provisioner.runs import Run, Runs
from services.provisioner.sample import Samples, take_samples
from services.provisioner.settings import Settings
from services.provisioner.status import PipelineStatus, Watch
from services.provisioner.teardown import tear_down
from services.provisioner.verify.auditor import Auditor
from services.provisioner.verify.report import AuditReport, Progress
from shared.errors import PagePulseError
from shared.sharing import Shared
from shared.tasks import TaskSet

#: for one look at one resource while planning; longer than for a status, because an apply rather waits than fails
_OBSERVE_TIMEOUT = timedelta(seconds=15)


class Provisioner:
    """One pipeline on one set of servers."""

    def __init__(self, settings: Settings, servers: Servers, tasks: TaskSet) -> None:
        self.settings = settings
        self.servers = servers
        self.resources = build(load(settings), servers, settings)
        self.runs = Runs(tasks)
        self.last_audit: AuditReport | None = None
        self.last_status: PipelineStatus | None = None
        self._auditor: Auditor | None = None
        self._tasks = tasks
        self._looks = Shared(self._look)
        self._watch = Watch(self.resources, servers.pinot, settings.status_timeout)
        self._applier = Applier(self.resources, observe_timeout=_OBSERVE_TIMEOUT, step_timeout=settings.step_timeout)

    async def warm_up(self) -> None:
        """Opens the connection to Kafka, so that the first answer need not wait for it. If that fails, the first use tries again."""
        with suppress(PagePulseError):
            await self.servers.kafka.ping()

    async def plan(self) -> Plan:
        return await self._applier.plan()

    async def status(self) -> PipelineStatus:
        """Who asks while somebody else's look is under way shares the next one."""
        return await self._looks.get()

    async def _look(self) -> PipelineStatus:
        self.last_status = await self._watch.look()
        return self.last_status

    async def sample(self, rows: int) -> Samples:
        return await take_samples(self.resources, self.servers, key_decoders(self.settings), rows)

    def apply(self) -> Run:
        """Begins an apply. Raises RunInProgress."""
        return self.runs.start("apply", self._applier.apply)

    def tear_down(self, *, delete_topics: bool) -> Run:
        """Begins a teardown. Raises RunInProgress."""

        async def work(run: Run) -> None:
            await tear_down(self.resources, run, delete_topics=delete_topics, attempt=self._applier.attempt)

        return self.runs.start("teardown", work)

    async def verify(self) -> AuditReport:
        """Audits the tables; see ``verify``. It goes on when the caller goes away.

        Raises:
            AuditInProgress: one at a time.
            PagePulseError: a server is away.
        """
        if self._auditor is not None:
            raise AuditInProgress(f"An audit is in progress: {self._auditor.progress.phase}.")
        self._auditor = Auditor(self.servers, self.settings)
        return await asyncio.shield(self._tasks.start(self._audit(self._auditor), "audit"))

    @property
    def audit_progress(self) -> Progress | None:
        """Of the audit that runs, or None."""
        return self._auditor.progress if self._auditor else None

    async def _audit(self, auditor: Auditor) -> AuditReport:
        try:
            self.last_audit = await auditor.audit()
            return self.last_audit
        finally:
            self._auditor = None

    async def finish(self, run: Run) -> Run:
        """Waits for the run's end.

        Raises:
            StepFailed: it failed; the problem names the step and the run.
        """
        await self.runs.wait(run)
        if run.state == "failed":
            step = run.failed_step
            name = step.resource if step else "observe"
            raise StepFailed(f"{name}: {run.error}", step=name, run_id=run.id)
        return run

    def checks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """For ``/readyz``."""
        servers = self.servers
        return {
            "kafka": servers.kafka.ping,
            "connect": servers.connect.ping,
            "ksql": servers.ksql.ping,
            "pinot": servers.pinot.ping,
        }
