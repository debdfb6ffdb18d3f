"""Somebody pauses the connector for 10 s: the status says so, and the next apply resumes it."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.drills.scene import Scene

_PAUSED: Final = 10.0


async def strike(scene: Scene) -> None:
    answer = await scene.http.put(f"{scene.ports.url('connect')}/connectors/users-source/pause")
    answer.raise_for_status()
    await scene.until_ready(False)
    await asyncio.sleep(_PAUSED)


async def remedy(scene: Scene) -> None:
    await scene.apply()
