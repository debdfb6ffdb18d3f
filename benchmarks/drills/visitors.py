"""Visitors of a web site under a drill: beacons to the collector, each sent until it is acknowledged, and now and then once more."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import httpx

from benchmarks.drills.environment import Environment
from tests.collector import deliver, view

_BATCH: Final = 20
_SENDERS: Final = 4
#: visits of one drill, as ``view`` makes them
_VISITS: Final = 500


class Visitors:
    """``refusals``: the headers of answers other than 202. Every event is acknowledged when ``send`` returns."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._mark = f"drill{time.time_ns() // 1_000_000:x}"
        self._sent = 0
        self.refusals: list[Mapping[str, str]] = []

    async def send(self, events: int, before: Callable[[int], Awaitable[None]] | None = None) -> None:
        """Sends so many new events; ``before`` is called with the number of batches that are left before each of them."""
        left = asyncio.Queue[int]()
        for first in range(self._sent, self._sent + events, _BATCH):
            left.put_nowait(first)
        self._sent += events

        async def sender(seed: int) -> None:
            dice = random.Random(seed)
            while not left.empty():
                first = left.get_nowait()
                if before is not None:
                    await before(left.qsize())
                await deliver(client, [view(n, self._mark) for n in range(first, first + _BATCH)], dice, self.refusals)

        url = self._environment.ports.url("collector")
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client, asyncio.TaskGroup() as group:
            for seed in range(_SENDERS):
                group.create_task(sender(seed))

    def count(self) -> None:
        """Adds what was acknowledged to the drill's account: the page views, and a login for each visit."""
        self._environment.sent += self._sent + min(_VISITS, self._sent)
        self._environment.notes.append(
            f"{self._sent} page views of visitors acknowledged, {len(self.refusals)} answers 503"
        )
