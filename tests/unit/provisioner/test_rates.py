from __future__ import annotations

import asyncio
import gc
from functools import partial

import pytest

from services.provisioner import rates
from services.provisioner.rates import Growth
from shared.errors import Unavailable


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("looks", "rates"),
    [
        ([(0, 0), (2, 100)], [None, 50.0]),
        # two clients that look at once do not spoil each other's rate
        ([(0, 0), (0.1, 10), (2, 200)], [None, None, 100.0]),
        # the last ten seconds count
        ([(0, 0), (10, 1_000), (20, 1_500)], [None, 100.0, 50.0]),
        # nobody looked for an hour
        ([(0, 0), (3_600, 7_200)], [None, 2.0]),
        # made anew
        ([(0, 50), (1, 60), (2, 5), (3, 15)], [None, 10.0, None, 10.0]),
    ],
)
def test_the_growth_between_looks(looks: list[tuple[float, int]], rates: list[float | None]) -> None:
    clock = Clock()
    growth = Growth(clock)
    found = []
    for at, count in looks:
        clock.now = 100.0 + at
        found.append(growth.rate(count))
    assert found == rates


async def test_a_count_that_cannot_be_had_is_no_rate_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_ANSWER_WITHIN_S", 0.02)
    now = 0.0
    growth = Growth(lambda: now)

    async def refused() -> int:
        raise Unavailable("down")

    async def silent() -> int:
        await asyncio.Event().wait()
        return 0

    async def counted(count: int) -> int:
        return count

    assert await growth.measure(partial(counted, 100)) is None
    now = 2.0
    assert await growth.measure(refused) is None
    assert await growth.measure(silent) is None
    assert await growth.measure(partial(counted, 300)) == 100.0


async def test_a_count_is_not_asked_for_by_a_look_that_was_cancelled_before_it_began(
    recwarn: pytest.WarningsRecorder,
) -> None:
    """A coroutine made before that would never have been awaited, and Python would have said so in the log."""
    asked: list[str] = []

    async def count() -> int:
        asked.append("count")
        return 1

    task = asyncio.create_task(Growth().measure(count))
    task.cancel()
    await asyncio.wait([task])
    gc.collect()
    assert (asked, [str(warning.message) for warning in recwarn]) == ([], [])
