"""The generator is killed: nothing that it got acknowledged is missing; sessions that were cut off simply end."""

from __future__ import annotations

from benchmarks.drills.environment import Environment


async def strike(environment: Environment) -> None:
    environment.kill("generator")
