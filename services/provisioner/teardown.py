"""Removes the pipeline in reverse order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from services.provisioner.order import work_through
from services.provisioner.resource import Resource
from services.provisioner.runs import Change, StepRecord

Attempt = Callable[[StepRecord, Callable[[], Awaitable[str]]], Awaitable[None]]


async def tear_down(resources: Sequence[Resource], run: Change, *, delete_topics: bool, attempt: Attempt) -> None:
    """Removes every resource, dependents first; safe to repeat, because a missing resource is no error.

    Without ``delete_topics`` all records stay, and so does the connector's position in the database's log: an apply afterwards goes
    on where this stopped. Pinot's rows always go; it reads them again from the topics.
    """
    pairs = [(resource, StepRecord(resource.id, "remove")) for resource in reversed(resources)]
    run.steps = [record for _, record in pairs]
    await work_through(
        [
            (resource, record, partial(attempt, record, partial(resource.delete, data=delete_topics)))
            for resource, record in pairs
        ],
        backwards=True,
    )
