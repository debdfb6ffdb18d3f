"""The provisioner: everything that its API offers, in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from services.provisioner.apply import Applier
from services.provisioner.decoding import key_decoders
from services.provisioner.errors import AuditInProgress, RunInProgress
from services.provisioner.events import EventLog
from services.provisioner.kinds.statement import Query
from services.provisioner.pipeline import Servers, build
from services.provisioner.plan import Plan
from services.provisioner.render import load
from services.provisioner.runs import Audit, Change
from services.provisioner.sample import Samples, take_samples
from services.provisioner.settings import Settings
from services.provisioner.teardown import tear_down
from services.provisioner.verify.auditor import Auditor
from services.provisioner.verify.report import AuditReport
from services.provisioner.watcher import PipelineStatus, Watcher
from shared.concurrency_limit import ConcurrencyLimit
from shared.errors import PagePulseError
from shared.jobs import Job, JobTracker
from shared.single_flight import SingleFlight
from shared.tasks import TaskSet

#: for one observation while planning; longer than the watcher's, because an apply waits rather than fails
_OBSERVE_TIMEOUT = timedelta(seconds=15)
#: callers whose samples are taken at a time
_SAMPLINGS = 4
#: finished runs that can still be asked for; a report can be long
_CHANGES_KEPT, _AUDITS_KEPT = 50, 10

R = TypeVar("R", bound=Change | Audit)


class Provisioner:
    """One pipeline on one set of servers."""

    def __init__(self, settings: Settings, servers: Servers, tasks: TaskSet) -> None:
        self.settings = settings
        self.servers = servers
        self.resources = build(load(settings), servers, settings)
        self.events = EventLog()
        self.watcher = Watcher(self.resources, settings, self.events)
        self.changes: JobTracker[Change] = JobTracker(tasks, busy=partial(_busy, RunInProgress), kept=_CHANGES_KEPT)
        self.audits: JobTracker[Audit] = JobTracker(tasks, busy=partial(_busy, AuditInProgress), kept=_AUDITS_KEPT)
        self._plans = SingleFlight(self._plan)
        self._samplings = ConcurrencyLimit(_SAMPLINGS, "samplings")
        self._applier = Applier(self.resources, observe_timeout=_OBSERVE_TIMEOUT, step_timeout=settings.step_timeout)

    async def aclose(self) -> None:
        """Ends the planning that is under way."""
        await self._plans.aclose()

    async def plan(self) -> Plan:
        """What an apply would do, by observing every resource. Concurrent callers share one observation."""
        return await self._plans.get()

    async def _plan(self) -> Plan:
        return await self._applier.plan()

    async def status(self, *, fresh: bool = False, attention: bool = True) -> PipelineStatus:
        """The observed state, from memory; ``fresh`` looks first. With ``attention`` the servers are observed more often for a while."""
        if fresh:
            return await self.watcher.refresh()
        return self.watcher.status() if attention else self.watcher.current

    async def sample(self, rows: int) -> Samples:
        """A few rows of everything. Raises TooManyRequests: each caller's consumers and rows take memory."""
        with self._samplings.take():
            return await take_samples(self.resources, self.servers, key_decoders(self.settings), rows)

    def apply(self) -> Change:
        """Begins an apply. Raises RunInProgress."""
        return self._change(Change(kind="apply"), self._applier.apply)

    def tear_down(self, *, delete_topics: bool) -> Change:
        """Begins a teardown. Raises RunInProgress."""

        async def work(run: Change) -> None:
            await tear_down(self.resources, run, delete_topics=delete_topics, attempt=self._applier.attempt)

        return self._change(Change(kind="teardown"), work)

    def verify(self) -> Audit:
        """Begins an audit of the tables; see ``verify``. Raises AuditInProgress."""
        queries = [resource for resource in self.resources if isinstance(resource, Query)]

        async def work(run: Audit) -> None:
            auditor = Auditor(self.servers, self.settings, queries)
            run.progress = auditor.progress
            run.report = await auditor.audit()

        return self._start(self.audits, Audit(), work)

    @property
    def last_audit(self) -> AuditReport | None:
        """The newest report among the audits that are kept."""
        return next((audit.report for audit in self.audits.all() if audit.report is not None), None)

    def _change(self, run: Change, work: Callable[[Change], Awaitable[None]]) -> Change:
        """A run ends when the pipeline has been observed again: its callers request the status next."""

        async def changing(run: Change) -> None:
            self.watcher.begin(run.kind)
            try:
                await work(run)
            finally:
                await self.watcher.settle()

        return self._start(self.changes, run, changing)

    def _start(self, runs: JobTracker[R], run: R, work: Callable[[R], Awaitable[None]]) -> R:
        """Begins a run whose begin and end are events."""

        def note(title: str, before: str, after: str, reason: str = "") -> None:
            name = run.kind.capitalize()
            self.events.add(
                run.kind, f"{name} {title}", subject=f"{run.kind} {run.id}", before=before, after=after, reason=reason
            )

        async def noted(run: R) -> None:
            note("begun", "", "running")
            try:
                await work(run)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                note("failed", "running", "failed", error.detail if isinstance(error, PagePulseError) else repr(error))
                raise
            note(f"ended: {run.outcome.replace('_', ' ')}", "running", run.outcome)

        return runs.start(run, noted)

    async def finish(self, run: R) -> R:
        """Waits for the run's end.

        Raises:
            StepFailed: an apply or a teardown failed; the problem names the step and the run.
            PagePulseError: an audit failed.
        """
        await run.finished.wait()
        if (failure := run.failure) is not None:
            raise failure
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


def _busy(error: type[RunInProgress | AuditInProgress], run: Job) -> PagePulseError:
    return error(f"The {run.kind} run {run.id} is in progress; ask for it, and come back after its end.", run_id=run.id)
