"""The runtime's own thread with its own event loop, so that neither REST nor the engine waits for the other's work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ParamSpec, Protocol, TypeVar

import structlog
import uvloop

from services.ksql.runtime.core import Core, CoreFactory
from shared.event_loop import new_event_loop

P = ParamSpec("P")
T = TypeVar("T")

_log = structlog.get_logger(__name__)

_STOP_S = 20.0


class Runtime(Protocol):
    """What the server needs: a way to run coroutines where the core lives."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def call(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``function`` on the core's loop and gives its result; cancelling the caller cancels it there."""

    @property
    def core(self) -> Core: ...


class ThreadRuntime:
    """A core in a thread. ``on_failure`` is called there if it ends by an error: the process is of no use then."""

    def __init__(self, factory: CoreFactory, on_failure: Callable[[], None] = lambda: None) -> None:
        self._factory = factory
        self._on_failure = on_failure
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._core: Core | None = None

    @property
    def core(self) -> Core:
        if self._core is None:
            raise RuntimeError("the runtime has not been started")
        return self._core

    async def start(self) -> None:
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, args=(started,), name="ksql-core", daemon=True)
        self._thread.start()
        await asyncio.wrap_future(started)

    async def stop(self) -> None:
        thread, loop, task = self._thread, self._loop, self._task
        if thread is None or loop is None or task is None:
            return
        loop.call_soon_threadsafe(task.cancel)
        await asyncio.to_thread(thread.join, _STOP_S)

    async def call(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._loop is None or self._loop.is_closed():
            raise RuntimeError("the runtime does not run")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(*args, **kwargs), self._loop))

    def _main(self, started: Future[None]) -> None:
        try:
            uvloop.run(self._run(started), loop_factory=new_event_loop)
        except Exception as error:
            _log.exception("the runtime has ended")
            if not started.done():
                started.set_exception(error)
            self._on_failure()

    async def _run(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._core = self._factory()
        self._task = asyncio.create_task(self._core.run(), name="core")
        started.set_result(None)
        try:
            await self._task
        except asyncio.CancelledError:
            _log.info("the runtime has stopped")
