"""Waiting for what tells nobody when it happens (another process, a port, a lock): asked again and again, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

QUICKLY = timedelta(milliseconds=50)


async def until(
    condition: Callable[[], bool | Awaitable[bool]], within: timedelta | None = None, every: timedelta = QUICKLY
) -> bool:
    """True as soon as ``condition`` holds, False if it does not ``within`` that time (None: for ever)."""
    loop = asyncio.get_running_loop()
    deadline = None if within is None else loop.time() + within.total_seconds()
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return True
        if deadline is not None and loop.time() >= deadline:
            return False
        await asyncio.sleep(every.total_seconds())
