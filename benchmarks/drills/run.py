"""Runs one drill: load, fault, recovery, end of load, verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from benchmarks.drills.acknowledgements import starts
from benchmarks.drills.drill import Drill, Outcome, Pace
from benchmarks.drills.environment import Environment
from benchmarks.drills.load import Load
from benchmarks.drills.verification import verify
from benchmarks.drills.watch import Watch
from deploy.local.waiting import until
from shared.tasks import TaskSet

_LOOK: Final = timedelta(milliseconds=250)


async def run_drill(drill: Drill, environment: Environment, pace: Pace, say: Callable[[str], None]) -> Outcome:
    """Raises what a fault or remedy raises when it cannot be done; that the system fails is an outcome."""
    environment.notes.clear()
    environment.sent = 0
    before = await starts(environment.stack.kafka_bootstrap)
    load, watch = Load(environment, pace.rate), Watch(environment)
    async with TaskSet() as tasks:
        say("load")
        await load.start()
        tasks.start(load.tend(), "load")
        tasks.start(watch.run(), "watch")
        await asyncio.sleep(pace.before_s)
        say("fault")
        await drill.strike(environment)
        struck, struck_ms = time.monotonic(), time.time_ns() // 1_000_000
        say("recovery")
        await drill.remedy(environment)

        async def recovered() -> bool:
            flows = load.flowing and watch.shows(struck_ms)
            return flows and await environment.ready() and await environment.healthy()

        back = await until(recovered, timedelta(seconds=pace.recovery_within_s), _LOOK)
        recovery_s = time.monotonic() - struck if back else None
        await asyncio.sleep(pace.after_s)
        say("verdict")
        await load.stop()
        gap_s = watch.gap_s
    verdict = await verify(environment, load, before)
    if load.failed:
        environment.notes.append(f"{load.failed} events failed and were counted as such")
    return Outcome(
        name=drill.name,
        fault=drill.fault,
        acknowledged=load.acknowledged,
        lost=verdict.lost,
        doubled=verdict.doubled,
        gap_s=gap_s,
        recovery_s=recovery_s,
        equal=verdict.equal,
        notes=[*environment.notes, *verdict.notes],
    )
