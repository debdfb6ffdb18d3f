"""Waiting for something that another server does in its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.provisioner.errors import NotReadyInTime


async def wait_until(
    look: Callable[[], Awaitable[str | None]], *, what: str, within: timedelta, every: timedelta
) -> None:
    """Calls ``look`` until it answers None; a text is the reason why not yet.

    Raises:
        NotReadyInTime: still not after ``within``; the last reason is in the message.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within.total_seconds()
    while (reason := await look()) is not None:
        if loop.time() >= deadline:
            raise NotReadyInTime(f"{what} within {within.total_seconds():g} s: {reason}")
        await asyncio.sleep(every.total_seconds())
