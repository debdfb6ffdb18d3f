"""The collector is killed three times among 10,000 beacons with retries."""

from __future__ import annotations

from typing import Final

from benchmarks.drills.environment import Environment
from benchmarks.drills.visitors import Visitors

_EVENTS: Final = 10_000
#: batches that are left at each kill, of 500
_KILLS: Final = (375, 250, 125)


async def strike(environment: Environment) -> None:
    async def kill(left: int) -> None:
        if left in _KILLS:
            old = environment.pid("collector")
            environment.kill("collector")
            await environment.restarted("collector", old)

    visitors = Visitors(environment)
    await visitors.send(_EVENTS, kill)
    visitors.count()
