"""One answer for many who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Makes one answer at a time. Who asks while one is being made gets the next: an answer is never older than its question,
    and however many ask, no more is done than one answer after the other."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The answer, or what went wrong with it. A caller that gives up does not take the others' answer away."""
        if self._next is None:
            self._next = asyncio.create_task(self._follow(self._running), name="shared answer")
            self._next.add_done_callback(retrieve)
        return await asyncio.shield(self._next)

    async def _follow(self, before: asyncio.Task[T] | None) -> T:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await self._make()


def retrieve(task: asyncio.Task[T]) -> None:
    """For a task's done callback: a failure that all callers have given up on is nobody's."""
    if not task.cancelled():
        task.exception()
