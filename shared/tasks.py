"""Background tasks with an owner, which sees their failure and waits for their end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class TaskSet:
    """Owns tasks of one component.

    A task that fails is logged at once and its error kept in ``failures`` (by name); ``aclose`` cancels what still runs,
    newest first, and awaits it.
    """

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.failures: dict[str, BaseException] = {}

    def start(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def __len__(self) -> int:
        return len(self._tasks)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures[task.get_name()] = error
            _log.error("task failed", task=task.get_name(), exc_info=error)

    async def aclose(self) -> None:
        for task in reversed(list(self._tasks)):
            task.cancel()
            await asyncio.wait([task])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()
