"""Makes the pipeline what it should be: looks, removes what must be replaced, then makes, changes and repairs in dependency order.

Nothing is kept between runs: each observes the servers first. A run that was interrupted at any step is therefore finished by
the next one, and a resource as desired is never touched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial

import stamina
import structlog

from services.provisioner.errors import TRANSIENT, StepFailed, translate_malformed_response
from services.provisioner.order import work_through
from services.provisioner.plan import Plan, Step, make_plan
from services.provisioner.resource import Action, Resource
from services.provisioner.runs import Change, StepRecord
from shared.errors import PagePulseError

_log = structlog.get_logger(__name__)

_ATTEMPTS = 4


class Applier:
    """Applies one pipeline; ``step_timeout`` bounds one attempt's wait for a server, so a step may take a few of them."""

    def __init__(self, resources: Sequence[Resource], *, observe_timeout: timedelta, step_timeout: timedelta) -> None:
        self._resources = resources
        self._observe_timeout = observe_timeout
        self._step_timeout = step_timeout

    async def plan(self) -> Plan:
        """What ``apply`` would do now."""
        return await make_plan(self._resources, self._observe_timeout)

    async def apply(self, run: Change) -> None:
        """Does it, writing each step into ``run``.

        Raises:
            PagePulseError: the first failure; what depends on the failed step is skipped, the rest is done.
        """
        plan = await self._seen_plan()
        removals = [(step, StepRecord(step.resource.id, "remove")) for step in plan.replaced]
        makings = [(step, StepRecord(step.resource.id, step.action.value)) for step in plan.steps]
        run.steps = [record for _, record in removals + makings]
        try:
            await work_through(
                [(step.resource, record, partial(self._remove, step, record)) for step, record in removals],
                backwards=True,
            )
        except PagePulseError:
            for _, record in makings:
                record.state, record.detail = "skipped", "something could not be removed"
            raise
        await work_through([(step.resource, record, partial(self._make, step, record)) for step, record in makings])

    async def _seen_plan(self) -> Plan:
        """A plan without unknowns: a server that starts up at the same time is given a moment.

        Raises:
            StepFailed: a server stays unavailable.
        """
        async for attempt in stamina.retry_context(
            on=StepFailed, attempts=None, timeout=self._step_timeout, wait_initial=0.2, wait_max=2.0
        ):
            with attempt:
                plan = await self.plan()
                unseen = [step for step in plan.steps if step.action is Action.UNKNOWN]
                if unseen:
                    names = ", ".join(step.resource.id for step in unseen)
                    raise StepFailed(f"cannot observe {names}: {unseen[0].observation.detail}", step="observe")
                return plan
        raise StepFailed("no resource could be observed", step="observe")

    async def _remove(self, step: Step, record: StepRecord) -> None:
        await self.attempt(record, partial(step.resource.delete, data=True))

    async def _make(self, step: Step, record: StepRecord) -> None:
        resource, observation = step.resource, step.observation
        match step.action:
            case Action.UNCHANGED:
                record.state, record.detail, record.took_ms = "done", step.reason, 0
            case Action.UPDATE:
                await self.attempt(record, lambda: resource.update(observation))
            case Action.REPAIR:
                await self.attempt(record, lambda: resource.repair(observation))
            case _:
                await self.attempt(record, resource.create)

    async def attempt(self, record: StepRecord, work: Callable[[], Awaitable[str]]) -> None:
        """One step, retried when a server is unavailable or busy."""
        async with record.timed():
            async for attempt in stamina.retry_context(
                on=TRANSIENT, attempts=_ATTEMPTS, timeout=self._step_timeout, wait_initial=0.2, wait_max=3.0
            ):
                with attempt, translate_malformed_response(record.resource):
                    record.attempts = attempt.num
                    record.detail = await work()
        _log.info(
            "step done", resource=record.resource, action=record.action, took_ms=record.took_ms, detail=record.detail
        )
