"""The disk of one broker is full for 15 s."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.drills.disk import SmallDisk
from benchmarks.drills.environment import Environment

DISK: Final = SmallDisk("kafka3", "400m")
_FULL_S: Final = 15.0


async def strike(environment: Environment) -> None:
    async with DISK.full(environment.stack.directory):
        await asyncio.sleep(_FULL_S)
