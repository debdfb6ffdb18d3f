"""The provisioner: everything that its API offers, in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import structlog

from services.provisioner.apply import Applier
from services.provisioner.decoding import key_decoders
from services.provisioner.errors import AuditInProgress, StepFailed
from services.provisioner.pipeline import Servers, build
from services.provisioner.plan import Plan
from services.provisioner.render import load
from services.provisioner.runs import Run, RunKind, Runs
from services.provisioner.sample import Samples, take_samples
from services.provisioner.settings import Settings
from services.provisioner.status import PipelineStatus, Watch
from services.provisioner.teardown import tear_down
from services.provisioner.verify.auditor import Auditor
from services.provisioner.verify.report import AuditReport, Progress
from shared.concurrency_limit import ConcurrencyLimit
from shared.errors import PagePulseError
from shared.single_flight import SingleFlight
from shared.tasks import TaskSet

#: for one look at one resource while planning; longer than for a status, because an apply rather waits than fails
_OBSERVE_TIMEOUT = timedelta(seconds=15)
#: for a look that nobody waits for; each of its questions has a shorter one
_WATCH_DEADLINE = timedelta(seconds=30)
#: callers whose samples are taken at a time
_SAMPLINGS = 4

_log = structlog.get_logger(__name__)


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
        self._looks = SingleFlight(self._look, settings.status_max_age.total_seconds())
        self._plans = SingleFlight(self._plan)
        self._samplings = ConcurrencyLimit(_SAMPLINGS, "samplings")
        self._watch = Watch(self.resources, servers.pinot, settings.status_timeout)
        self._applier = Applier(self.resources, observe_timeout=_OBSERVE_TIMEOUT, step_timeout=settings.step_timeout)

    async def warm_up(self) -> None:
        """Opens the connection to Kafka, so that the first answer need not wait for it. If that fails, the first use tries again."""
        with suppress(PagePulseError):
            await self.servers.kafka.ping()

    async def watch(self) -> None:
        """Looks now and then for as long as it runs, so that the metrics move when nobody asks."""
        while True:
            await asyncio.sleep(self.settings.watch_interval.total_seconds())
            try:
                async with asyncio.timeout(_WATCH_DEADLINE.total_seconds()):
                    await self.status()
            except Exception as error:  # the next look may well succeed: the watch must not end
                _log.warning("the pipeline could not be looked at", exc_info=error)

    async def aclose(self) -> None:
        """Ends the looks that are under way."""
        await self._looks.aclose()
        await self._plans.aclose()

    async def plan(self) -> Plan:
        """Shared by those who ask together."""
        return await self._plans.get()

    async def _plan(self) -> Plan:
        return await self._applier.plan()

    async def status(self) -> PipelineStatus:
        """Shared by those who ask together or a moment later (``status_max_age``)."""
        return await self._looks.get()

    async def _look(self) -> PipelineStatus:
        self.last_status = await self._watch.look()
        return self.last_status

    async def sample(self, rows: int) -> Samples:
        """A few rows of everything. Raises TooManyRequests: each caller's consumers and rows take memory."""
        with self._samplings.take():
            return await take_samples(self.resources, self.servers, key_decoders(self.settings), rows)

    def apply(self) -> Run:
        """Begins an apply. Raises RunInProgress."""
        return self._start("apply", self._applier.apply)

    def tear_down(self, *, delete_topics: bool) -> Run:
        """Begins a teardown. Raises RunInProgress."""

        async def work(run: Run) -> None:
            await tear_down(self.resources, run, delete_topics=delete_topics, attempt=self._applier.attempt)

        return self._start("teardown", work)

    def _start(self, kind: RunKind, work: Callable[[Run], Awaitable[None]]) -> Run:
        async def changing(run: Run) -> None:
            try:
                await work(run)
            finally:
                self._looks.forget()

        return self.runs.start(kind, changing)

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
