"""The most telling drills, shorter than in ``make drill`` and one after another under one load; then every number is proved."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from benchmarks.drills.all import named
from benchmarks.drills.drill import Drill, Pace
from benchmarks.drills.environment import Environment
from benchmarks.drills.faults import kill_collector, kill_provisioner
from benchmarks.drills.run import run_drill
from tests.patience import WORK_S, eventually
from tests.stack import Stack

pytestmark = pytest.mark.stack

PACE = Pace(before_s=4, after_s=2, rate=500, recovery_within_s=WORK_S)
#: kills of the engine at random moments, at the latest so many seconds after it was healthy
KILLS, LATEST_S = 3, 2.0


@pytest.fixture(scope="module")
def fresh() -> list[bool]:
    """Whether the pipeline was begun anew; by the first test, as records that other tests left would have to be proved too."""
    return []


@pytest.fixture
async def environment(stack: Stack, fresh: list[bool]) -> AsyncIterator[Environment]:
    async with Environment(stack) as environment:
        if not fresh:
            await environment.services.teardown(delete_topics=True)
            await environment.apply()
            await environment.until_ready()
            fresh.append(True)
        yield environment


async def one_after_another(environment: Environment) -> None:
    """The provisioner first: the apply that follows computes everything anew, also what an earlier fault would have spoilt."""
    await kill_provisioner.strike(environment)
    await kill_provisioner.remedy(environment)
    await environment.until_ready()
    await kill_collector.strike(environment)
    for _ in range(KILLS):
        await killed_and_back(environment, "ksql")
        await asyncio.sleep(random.uniform(0, LATEST_S))  # the moment of the next kill, not a wait
    await killed_and_back(environment, "kafka2")
    environment.kill("pinot")


async def killed_and_back(environment: Environment, component: str) -> None:
    old = environment.pid(component)
    environment.kill(component)
    await environment.restarted(component, old)


@pytest.mark.parametrize(
    "drill",
    [
        Drill(
            "one-after-another",
            f"kill -9 of the provisioner in apply, of the collector among beacons, {KILLS} times of ksql, of a broker, of Pinot",
            one_after_another,
        ),
        # alone: of a generator that was killed nobody knows how much it had sent, so less is proved of the whole run
        named("kill-generator"),
    ],
    ids=lambda drill: drill.name,
)
async def test_nothing_is_lost_or_doubled(environment: Environment, drill: Drill) -> None:
    outcome = await run_drill(drill, environment, PACE, print)
    assert outcome.acknowledged > 0
    assert (outcome.lost, outcome.doubled) == (0, 0), outcome
    assert outcome.equal, outcome
    assert outcome.recovery_s is not None, outcome

    async def nothing_is_planned() -> bool:
        url = f"{environment.ports.url('provisioner')}/provisioner/plan"
        plan = (await environment.http.get(url, timeout=WORK_S)).json()
        assert plan["changes"] == 0, plan
        return bool(plan["unseen"] == 0)

    await eventually(nothing_is_planned, "every resource is seen, and is as it is meant to be")
