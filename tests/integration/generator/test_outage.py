"""Brokers that stop answering while the generator sends: it slows down, says so, and loses nothing in silence."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from deploy.local.state import State
from tests.integration.generator.test_generator import generator
from tests.stack import Stack

pytestmark = pytest.mark.stack

RATE = 4_000
IN_FLIGHT = 10_000
#: the generator makes its events in chunks of this size, so the bound may be passed by one of them
CHUNK = 5_000
#: far above what the events in flight take, far below what they would take without a bound
GROWTH = 150 * 1024**2


@contextmanager
def stopped(stack: Stack, *components: str) -> Iterator[None]:
    """The processes of these components are stopped, with their connections open."""
    pids = [State(stack.directory).read_pids()[name].pid for name in components]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_two_stopped_brokers_slow_the_generator_down_and_cost_no_event(stack: Stack) -> None:
    async with generator(stack, max_in_flight=IN_FLIGHT) as running:
        await running.post("/generator/start", rate=RATE)
        before = await running.until(lambda now: now["achieved_rate"]["last_1s"] > RATE / 2)
        memory = psutil.Process().memory_info().rss

        with stopped(stack, "kafka2", "kafka3"):
            full = await running.until(lambda now: now["in_flight"] >= IN_FLIGHT)
            held = await running.until(lambda now: now["achieved_rate"]["last_1s"] < RATE / 4)
            later = await running.until(lambda now: now["backpressured_s"] > held["backpressured_s"] + 1)
            growth = psutil.Process().memory_info().rss - memory

        back = await running.until(lambda now: now["achieved_rate"]["last_1s"] > RATE / 2)
        final = await running.post("/generator/stop")
        views, sessions = await running.records()

    assert before["backpressured_s"] < full["backpressured_s"] + 0.2 < later["backpressured_s"] + 0.2
    assert later["sent"] - held["sent"] <= CHUNK
    assert max(full["in_flight"], held["in_flight"], later["in_flight"]) <= IN_FLIGHT + CHUNK
    assert growth < GROWTH
    assert back["state"] == "running"
    assert final["sent"] == final["acknowledged"] + sum(final["failed"].values())
    # A view has no number of its own, and two of one visit may fall into one millisecond; a login has its session's.
    assert len({record.key for record in sessions}) == len(sessions)
    assert final["acknowledged"] <= len(views) + len(sessions) <= final["sent"]
