"""No fault: what the others are to be compared with."""

from __future__ import annotations

import asyncio

from benchmarks.drills.environment import Environment


async def strike(environment: Environment) -> None:
    await asyncio.sleep(5)
