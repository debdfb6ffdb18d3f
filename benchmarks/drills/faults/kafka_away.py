"""Two of three brokers are suspended, so that nothing is written: visitors are served meanwhile, and their events arrive afterwards."""

from __future__ import annotations

import signal
from typing import Final

from benchmarks.drills.environment import Environment
from benchmarks.drills.visitors import Visitors

_BROKERS: Final = ("kafka2", "kafka3")
_EVENTS: Final = 5_000


async def strike(environment: Environment) -> None:
    visitors = Visitors(environment)
    await visitors.send(_EVENTS)
    environment.signal(signal.SIGSTOP, *_BROKERS)
    try:
        await visitors.send(_EVENTS)
    finally:
        environment.signal(signal.SIGCONT, *_BROKERS)
    if visitors.refusals:
        raise AssertionError(f"the journal had space, and {len(visitors.refusals)} beacons were refused")
    visitors.count()
