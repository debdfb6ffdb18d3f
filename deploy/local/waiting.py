"""Polling for conditions without a notification (another process, a port, a lock), with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

QUICKLY = timedelta(milliseconds=50)
CANCEL_AGAIN = timedelta(milliseconds=500)


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


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancels the tasks and returns when all have ended, however they end.

    Asking once is not enough: a cancel that arrives in the same moment as a time-out inside an HTTP client (anyio's scopes) can be taken
    for that time-out and is lost.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN.total_seconds())
    # Looked at, so that no failure is reported as never retrieved.
    await asyncio.gather(*tasks, return_exceptions=True)
