"""Everything is stopped and started in the middle of a window: the windows go on where they were."""

from __future__ import annotations

from benchmarks.drills.environment import Environment


async def strike(environment: Environment) -> None:
    await environment.pagepulse("down")


async def remedy(environment: Environment) -> None:
    await environment.up()
