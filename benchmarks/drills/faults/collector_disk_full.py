"""The disk of the collector's journal is full for 10 s."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.drills.disk import SmallDisk
from benchmarks.drills.environment import Environment
from benchmarks.drills.visitors import Visitors

DISK: Final = SmallDisk("collector", "64m")
_FULL_S: Final = 10.0
_EVENTS: Final = 5_000


async def strike(environment: Environment) -> None:
    visitors = Visitors(environment)
    await visitors.send(_EVENTS)
    async with DISK.full(environment.stack.directory):
        sending = asyncio.create_task(visitors.send(_EVENTS))
        await asyncio.sleep(_FULL_S)
    await sending
    if not visitors.refusals or not all(int(headers.get("Retry-After", 0)) > 0 for headers in visitors.refusals):
        raise AssertionError("a full disk must be answered with 503 and Retry-After")
    visitors.count()
