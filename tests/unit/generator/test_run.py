"""A run makes its events in few goes, each of which costs as much as several events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from services.generator.pacing import TokenBucket
from services.generator.profiles import Constant
from services.generator.run import Run
from services.generator.source import Event, Made
from services.generator.statistics import Statistics


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class RunOnItsClock(Run):
    async def _sleep(self, seconds: float) -> None:
        cast(Clock, self.clock).now += seconds


class Source:
    made = Made()

    def emit(self, times: Sequence[float], now_ms: int, *, at_full_speed: bool) -> list[Event]:
        return [(0, b"k", b"v") for _ in times]


class Publisher:
    full = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: when events came, and how many
        self.puts: list[tuple[float, int]] = []

    def put(self, events: Sequence[Event], now_ms: int) -> None:
        self.puts.append((self._clock(), len(events)))


@pytest.mark.parametrize(("rate", "goes"), [(10, 20), (200, 80), (20_000, 80)])
async def test_events_are_made_a_pause_apart_and_none_is_lost(rate: float, goes: int) -> None:
    clock = Clock()
    publisher = Publisher(clock)
    run = RunOnItsClock(
        pacer=TokenBucket(lambda _: rate, 0.0),
        control=None,
        profile=Constant(kind="constant"),
        source=Source(),
        publisher=cast(Any, publisher),
        statistics=Statistics(clock),
        population=1,
        duration_s=2.0,
        max_events=None,
        clock=clock,
    )
    run.begin()
    await run.work()

    assert sum(count for _, count in publisher.puts) == 2 * rate
    assert abs(len(publisher.puts) - goes) <= 2
    # none is made more than a pause, and a step of the pacer, after it was due
    made = 0
    for at, count in publisher.puts:
        assert at - (made + 1) / rate <= 0.031
        made += count
