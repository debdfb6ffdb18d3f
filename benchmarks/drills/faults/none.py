"""No fault: what the others are to be compared with."""

from __future__ import annotations

import asyncio

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    await asyncio.sleep(5)
