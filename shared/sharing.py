"""One answer for many who ask at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Makes one answer at a time. Who asks while one is being made gets the next: an answer is never older than its question,
    and however many ask, no more is done than one answer after the other.

    With ``max_age`` (seconds) who asks gets the answer that is being made, or that was made so short a time ago: the work
    is done at most that often, and an answer may be older than its question by that and the time of its making.
    """

    def __init__(self, make: Callable[[], Awaitable[T]], max_age: float = 0.0) -> None:
        self._make = make
        self._max_age = max_age
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None
        self._began = self._ended = self._changed = 0.0

    async def get(self) -> T:
        """The answer, or what went wrong with it. A caller that gives up does not take the others' answer away."""
        if self._running is not None and self._is_young(self._running):
            return await asyncio.shield(self._running)
        if self._next is None:
            self._next = asyncio.create_task(self._follow(self._running), name="shared answer")
            self._next.add_done_callback(retrieve)
        return await asyncio.shield(self._next)

    def forget(self) -> None:
        """What is asked about has changed: from now on no answer is given that was begun before."""
        self._changed = time.monotonic()

    async def aclose(self) -> None:
        """Ends what is being made."""
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
    """For a task's done callback: a failure that all callers have given up on is nobody's."""
    if not task.cancelled():
        task.exception()
