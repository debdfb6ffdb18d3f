"""Working through resources along their dependencies, as many at a time as these allow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.provisioner.resource import Resource
from services.provisioner.runs import StepRecord
from shared.errors import PagePulseError

Work = Callable[[], Awaitable[None]]


async def work_through(items: Sequence[tuple[Resource, StepRecord, Work]], *, backwards: bool = False) -> None:
    """Does each item's work as soon as all that it depends on is done; ``backwards``: as soon as all its dependents are.

    Raises:
        PagePulseError: the first failure. What comes after a failed item is skipped, all else is still done.
    """
    before = _dependents(items) if backwards else {resource.id: resource.depends_on for resource, _, _ in items}
    loop = asyncio.get_running_loop()
    done = {resource.id: loop.create_future() for resource, _, _ in items}

    async def follow(resource: Resource, record: StepRecord, work: Work) -> PagePulseError | None:
        failure: PagePulseError | None = None
        outcomes = [await done[other] for other in before[resource.id] if other in done]
        if all(outcomes):
            try:
                await work()
            except PagePulseError as error:
                failure = error
        else:
            record.state, record.detail = "skipped", "something that comes before it failed"
        done[resource.id].set_result(failure is None and all(outcomes))
        return failure

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow(*item)) for item in items]
    failures = [failure for task in tasks if (failure := task.result()) is not None]
    if failures:
        raise failures[0]


def _dependents(items: Sequence[tuple[Resource, StepRecord, Work]]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {resource.id: [] for resource, _, _ in items}
    for resource, _, _ in items:
        for upstream in resource.depends_on:
            if upstream in found:
                found[upstream].append(resource.id)
    return found
