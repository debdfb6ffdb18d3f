"""Concurrent callers share one computation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs ``make`` for one group of callers at a time. Callers that arrive during a run share the next one, so that a result is
    never older than its request, and the load does not grow with the number of callers.

    With ``max_age`` (seconds) callers also share the run in progress, and its result for that long after its end: a result may then
    be older than its request by ``max_age`` and the duration of a run.
    """

    def __init__(self, make: Callable[[], Awaitable[T]], max_age: float = 0.0) -> None:
        self._make = make
        self._max_age = max_age
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None
        self._began = self._ended = self._changed = 0.0

    async def get(self) -> T:
        """The result, or the error of the run. A caller that is cancelled does not cancel the run for the others."""
        if self._running is not None and self._is_young(self._running):
            return await asyncio.shield(self._running)
        if self._next is None:
            self._next = asyncio.create_task(self._follow(self._running), name="single flight")
            self._next.add_done_callback(retrieve)
        return await asyncio.shield(self._next)

    def forget(self) -> None:
        """The subject has changed: results of runs that began before this call are no longer shared."""
        self._changed = time.monotonic()

    async def aclose(self) -> None:
        """Cancels the runs in progress."""
        tasks = [task for task in (self._next, self._running) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _is_young(self, task: asyncio.Task[T]) -> bool:
        if not self._max_age or self._began <= self._changed:
            return False
        return not task.done() or time.monotonic() - self._ended < self._max_age

    async def _follow(self, before: asyncio.Task[T] | None) -> T:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        self._began = time.monotonic()
        try:
            return await self._make()
        finally:
            self._ended = time.monotonic()


def retrieve(task: asyncio.Task[T]) -> None:
    """A done callback: marks the error of a run that every caller has given up on as retrieved."""
    if not task.cancelled():
        task.exception()
