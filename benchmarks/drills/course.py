"""The course of one drill: load, fault, recovery, end of load, verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from benchmarks.drills.drill import Drill, Outcome, Pace
from benchmarks.drills.judge import judge
from benchmarks.drills.ledger import starts
from benchmarks.drills.load import Load
from benchmarks.drills.scene import Scene
from benchmarks.drills.watch import Watch
from deploy.local.waiting import until
from shared.tasks import TaskSet

_LOOK: Final = timedelta(milliseconds=250)


async def run(drill: Drill, scene: Scene, pace: Pace, say: Callable[[str], None]) -> Outcome:
    """Raises what a fault or remedy raises when it cannot be done; that the system fails is an outcome."""
    scene.notes.clear()
    scene.sent = 0
    before = await starts(scene.stack.kafka_bootstrap)
    load, watch = Load(scene, pace.rate), Watch(scene)
    async with TaskSet() as tasks:
        say("load")
        await load.start()
        tasks.start(load.tend(), "load")
        tasks.start(watch.look_on(), "watch")
        await asyncio.sleep(pace.before_s)
        say("fault")
        await drill.strike(scene)
        struck, struck_ms = time.monotonic(), time.time_ns() // 1_000_000
        say("recovery")
        await drill.remedy(scene)

        async def recovered() -> bool:
            flows = load.flowing and watch.shows(struck_ms)
            return flows and await scene.ready() and await scene.healthy()

        back = await until(recovered, timedelta(seconds=pace.recovery_within_s), _LOOK)
        recovery_s = time.monotonic() - struck if back else None
        await asyncio.sleep(pace.after_s)
        say("verdict")
        await load.stop()
        gap_s = watch.gap_s
    verdict = await judge(scene, load, before)
    if load.failed:
        scene.notes.append(f"{load.failed} events failed and were counted as such")
    return Outcome(
        name=drill.name,
        fault=drill.fault,
        acknowledged=load.acknowledged,
        lost=verdict.lost,
        doubled=verdict.doubled,
        gap_s=gap_s,
        recovery_s=recovery_s,
        equal=verdict.equal,
        notes=[*scene.notes, *verdict.notes],
    )
