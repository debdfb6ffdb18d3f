"""The engine is killed again and again at random moments, also while it starts: state, offsets and results move together or not at all."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from benchmarks.drills.environment import Environment

KILLS: Final = 20
#: seconds after the engine was healthy
_LONGEST: Final = 2.0


async def strike(environment: Environment) -> None:
    await again_and_again(environment, KILLS)


async def again_and_again(environment: Environment, kills: int) -> None:
    """Each time waits until it is back, and then a random moment."""
    rng = random.Random()
    for turn in range(kills):
        old = environment.pid("ksql")
        environment.kill("ksql")
        if turn < kills - 1:
            await environment.restarted("ksql", old)
            await asyncio.sleep(rng.uniform(0, _LONGEST))
