"""A burst is spread over the turns of the loop."""

from __future__ import annotations

import asyncio

from shared.start_throttle import StartThrottle
from tests.patience import STEP_S


class Clock:
    """Counts the loop's turns."""

    def __init__(self) -> None:
        self.turn = 0
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self.turn += 1
        self._loop.call_soon(self._tick)


async def test_no_more_than_so_many_begin_in_a_turn_and_in_their_order() -> None:
    turns, clock = StartThrottle(3), Clock()
    begun: list[tuple[int, int]] = []

    async def one(number: int) -> None:
        await turns.take()
        begun.append((clock.turn, number))

    await asyncio.gather(*(one(number) for number in range(20)))
    assert [number for _, number in begun] == list(range(20))
    each = [turn for turn, _ in begun]
    assert max(each.count(turn) for turn in each) == 3
    assert each[-1] - each[0] >= 6


async def test_a_caller_that_gives_up_takes_no_turn() -> None:
    turns = StartThrottle(1)
    first, second, third = (asyncio.create_task(turns.take()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    async with asyncio.timeout(STEP_S):
        await first
        await third
        await turns.take()
    assert second.cancelled()
