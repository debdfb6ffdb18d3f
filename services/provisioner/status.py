"""How the pipeline is: every resource's state, one word for the whole, and how fresh its results are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.provisioner.clients.pinot import PinotClient
from services.provisioner.plan import observe_all
from services.provisioner.resource import Kind, Observation, Resource, State
from shared.errors import PagePulseError

#: how long a state is still told when a server does not answer in time
_REMEMBERED = timedelta(seconds=10)


class Overall(StrEnum):
    """``absent``: nothing of the pipeline is there. ``degraded``: not all of it is, or not all of it works, or cannot be seen."""

    READY = "ready"
    DEGRADED = "degraded"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """``freshness_ms``: age of the newest event that a query on Pinot can see; it grows while no events are made.
    ``looked_at``: when the servers were asked, UTC."""

    looked_at: datetime
    overall: Overall
    freshness_ms: int | None
    entries: tuple[tuple[Resource, Observation], ...]


class Watch:
    """Looks at the pipeline. It remembers what it saw last, so that a server that is only slow for a moment is told as it was."""

    def __init__(self, resources: Sequence[Resource], pinot: PinotClient, deadline: timedelta) -> None:
        self._resources = resources
        self._pinot = pinot
        self._deadline = deadline
        self._seen: dict[str, tuple[float, Observation]] = {}

    async def look(self) -> PipelineStatus:
        """Asks all servers at once, each for at most the deadline. Never fails: what cannot be asked is ``unknown``."""
        looked_at = datetime.now(UTC)
        observations, freshness = await asyncio.gather(
            observe_all(self._resources, self._deadline), _freshness(self._resources, self._pinot, self._deadline)
        )
        entries = tuple(
            (resource, self._remember(resource, observation))
            for resource, observation in zip(self._resources, observations, strict=True)
        )
        return PipelineStatus(looked_at, judge(entries), freshness, entries)

    def _remember(self, resource: Resource, observation: Observation) -> Observation:
        now = time.monotonic()
        if observation.state is not State.UNKNOWN:
            self._seen[resource.id] = (now, observation)
            return observation
        at, last = self._seen.get(resource.id, (0.0, observation))
        if not observation.slow or now - at > _REMEMBERED.total_seconds():
            return observation
        return replace(last, detail=f"{last.detail} ({now - at:.0f} s ago; {observation.detail} now)")


def judge(entries: Sequence[tuple[Resource, Observation]]) -> Overall:
    """One word for all. Topics may outlive the pipeline (a teardown keeps them), so they do not make it present."""
    states = {observation.state for _, observation in entries}
    if states == {State.OK}:
        return Overall.READY
    standing = {observation.state for resource, observation in entries if resource.kind is not Kind.TOPIC}
    return Overall.ABSENT if standing == {State.MISSING} else Overall.DEGRADED


async def _freshness(resources: Sequence[Resource], pinot: PinotClient, deadline: timedelta) -> int | None:
    tables = [resource.name for resource in resources if resource.kind is Kind.PINOT_TABLE]
    newest = await asyncio.gather(*(_newest(pinot, table, deadline) for table in tables))
    known = [value for value in newest if value]
    return max(0, round(time.time() * 1000) - max(known)) if known else None


async def _newest(pinot: PinotClient, table: str, deadline: timedelta) -> int | None:
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            rows = await pinot.query(f"SELECT MAX(updated_at) AS newest FROM {table}")  # noqa: S608 - a name of ours
    except (PagePulseError, TimeoutError):
        return None
    # Pinot answers the maximum of no rows with minus infinity.
    value = float(rows[0]["newest"]) if rows else 0.0
    return int(value) if 0 < value < float("inf") else None
