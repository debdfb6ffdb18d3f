"""Somebody pauses the connector for 10 s: the status says so, and the next apply resumes it."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.drills.environment import Environment

_PAUSED: Final = 10.0


async def strike(environment: Environment) -> None:
    answer = await environment.http.put(f"{environment.ports.url('connect')}/connectors/users-source/pause")
    answer.raise_for_status()
    await environment.until_ready(False)
    await asyncio.sleep(_PAUSED)


async def remedy(environment: Environment) -> None:
    await environment.apply()
