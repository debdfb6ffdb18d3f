"""What an apply would do, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.provisioner.errors import translate_malformed_response
from services.provisioner.resource import Action, Observation, Resource, unknown
from shared.errors import PagePulseError


@dataclass(frozen=True, slots=True)
class Step:
    """One resource, how it is, and what is to be done about it."""

    resource: Resource
    observation: Observation
    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in dependency order; removals for a replacement go through them backwards."""

    steps: tuple[Step, ...]

    @property
    def changes(self) -> int:
        """How many resources are not as desired; what could not be seen is not among them."""
        return sum(step.action not in (Action.UNCHANGED, Action.UNKNOWN) for step in self.steps)

    @property
    def unseen(self) -> int:
        """How many resources could not be seen, so that nothing is planned for them."""
        return sum(step.action is Action.UNKNOWN for step in self.steps)

    @property
    def replaced(self) -> tuple[Step, ...]:
        """What has to go before it is recreated, dependents first."""
        return tuple(step for step in reversed(self.steps) if step.action is Action.REPLACE)


async def observe_all(resources: Sequence[Resource], deadline: timedelta) -> tuple[Observation, ...]:
    """Observes all resources concurrently. A server that does not answer makes its resources ``unknown``, without an error."""
    return tuple(await asyncio.gather(*(_observe(resource, deadline) for resource in resources)))


async def make_plan(resources: Sequence[Resource], deadline: timedelta) -> Plan:
    """Looks at everything and decides."""
    return decide(resources, await observe_all(resources, deadline))


def decide(resources: Sequence[Resource], observations: Sequence[Observation]) -> Plan:
    """The plan for these observations: each resource's own need, and what follows from the needs of those below it.

    A resource that exists is replaced when something that it depends on, directly or not, is recreated from nothing.
    """
    shaken: dict[str, str] = {}
    steps: list[Step] = []
    for resource, observation in zip(resources, observations, strict=True):
        action, reason = observation.action, observation.detail
        cause = next((shaken[upstream] for upstream in resource.depends_on if upstream in shaken), None)
        if cause is not None:
            shaken[resource.id] = cause
            if observation.removable and action is not Action.UNKNOWN and action is not Action.REPLACE:
                action, reason = Action.REPLACE, f"{cause} is recreated"
        elif observation.rebuilds:
            shaken[resource.id] = resource.id
        if action is Action.UNKNOWN:
            reason = f"could not be seen: {reason}"
        steps.append(Step(resource, observation, action, reason))
    return Plan(tuple(steps))


async def _observe(resource: Resource, deadline: timedelta) -> Observation:
    try:
        with translate_malformed_response(resource.id):
            async with asyncio.timeout(deadline.total_seconds()):
                return await resource.observe()
    except TimeoutError:
        return unknown(f"no answer within {deadline.total_seconds():g} s")
    except PagePulseError as error:
        return unknown(error.detail)
