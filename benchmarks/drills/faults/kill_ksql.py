"""The engine is killed again and again at random moments, also while it starts: state, offsets and results move together or not at all."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from benchmarks.drills.scene import Scene

KILLS: Final = 20
#: seconds after the engine was healthy
_LONGEST: Final = 2.0


async def strike(scene: Scene) -> None:
    await again_and_again(scene, KILLS)


async def again_and_again(scene: Scene, kills: int) -> None:
    """Each time waits until it is back, and then a random moment."""
    rng = random.Random()
    for turn in range(kills):
        old = scene.pid("ksql")
        scene.kill("ksql")
        if turn < kills - 1:
            await scene.restarted("ksql", old)
            await asyncio.sleep(rng.uniform(0, _LONGEST))
