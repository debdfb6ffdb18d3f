"""The most telling drills, shorter than in ``make drill``: a fault under load, then every number is proved."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from benchmarks.drills import course
from benchmarks.drills.catalogue import named
from benchmarks.drills.drill import Drill, Pace
from benchmarks.drills.faults import kill_ksql
from benchmarks.drills.scene import Scene
from tests.patience import WORK_S
from tests.stack import Stack

pytestmark = pytest.mark.stack

PACE = Pace(before_s=4, after_s=2, rate=500, recovery_within_s=WORK_S)


@pytest.fixture(scope="module")
def fresh() -> list[bool]:
    """Whether the pipeline was begun anew; by the first test, as records that other tests left would have to be proved too."""
    return []


@pytest.fixture
async def scene(stack: Stack, fresh: list[bool]) -> AsyncIterator[Scene]:
    async with Scene(stack) as scene:
        if not fresh:
            await scene.services.teardown(delete_topics=True)
            await scene.apply()
            await scene.until_ready()
            fresh.append(True)
        yield scene


async def _three_kills(scene: Scene) -> None:
    await kill_ksql.again_and_again(scene, 3)


@pytest.mark.parametrize(
    "drill",
    [
        Drill("kill-ksql", "kill -9 of the ksql engine, 3 times at random", _three_kills),
        *(named(name) for name in ("kill-broker", "kill-pinot", "kill-generator", "kill-provisioner")),
    ],
    ids=lambda drill: drill.name,
)
async def test_nothing_is_lost_or_doubled(scene: Scene, drill: Drill) -> None:
    outcome = await course.run(drill, scene, PACE, print)
    assert outcome.acknowledged > 0
    assert (outcome.lost, outcome.doubled) == (0, 0), outcome
    assert outcome.equal, outcome
    assert outcome.recovery_s is not None, outcome
