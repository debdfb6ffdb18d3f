"""What the servers need and this machine does not have yet: Debian packages, jars, class-data archives. All of it is repeatable."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local import cache
from deploy.local.progress import Progress
from deploy.local.setup import apt, archives, jars


async def ensure(progress: Progress, *, tests: bool = False) -> None:
    """Installs what is missing; with ``tests`` also what only the tests need. Returns at once if nothing is. Raises SetupError."""
    await apt.ensure(progress, tests=tests)
    if jars.missing() or archives.missing():
        async with _alone(progress):
            await jars.ensure(progress)
            await archives.ensure(progress)


@asynccontextmanager
async def _alone(progress: Progress) -> AsyncIterator[None]:
    """Two checkouts share the cache: the second waits and then finds everything there."""
    cache.root().mkdir(parents=True, exist_ok=True)
    descriptor = os.open(cache.root() / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await progress.patiently("another set-up to end", lambda: _try_lock(descriptor))
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
