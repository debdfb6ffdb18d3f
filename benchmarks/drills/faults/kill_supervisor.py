"""The supervisor is killed: everything runs on without it; the next `up` finds what it left, ends it and starts anew."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.drills.scene import Scene

#: seconds without a supervisor
_ALONE: Final = 10.0


async def strike(scene: Scene) -> None:
    scene.kill("supervisor")
    await asyncio.sleep(_ALONE)


async def remedy(scene: Scene) -> None:
    await scene.up()
