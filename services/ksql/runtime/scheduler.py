"""Drives the queries: a slice of each in turn, giving way to the loop between slices so that REST calls get through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic

from services.ksql.runtime.query_task import ClientTask, PersistentTask

#: records in one slice: some 5 to 10 ms of work
_SLICE = 4_000
#: with more records than this uncommitted the scheduler waits for the commit, so that a slow broker does not fill the memory
_UNCOMMITTED = 100_000
_ROOM_S = 0.01
_GIVE_WAY_S = 0.005


class Scheduler:
    """Runs until cancelled. ``wake`` must be called when records were delivered."""

    def __init__(
        self, queries: Callable[[], Iterable[PersistentTask | ClientTask]], on_progress: Callable[[], None]
    ) -> None:
        self._queries = queries
        self._on_progress = on_progress
        self._awake = asyncio.Event()

    def wake(self) -> None:
        self._awake.set()

    async def run(self) -> None:
        """Processes whatever is ready, and sleeps when nothing is."""
        while True:
            self._awake.clear()
            worked = 0
            since = monotonic()
            for query in list(self._queries()):
                if query.ready:
                    worked += query.step(_SLICE)
                if query.dirty:
                    self._on_progress()
                if monotonic() - since > _GIVE_WAY_S:
                    await asyncio.sleep(0)
                    since = monotonic()
            if worked:
                await asyncio.sleep(0)
            else:
                await self._awake.wait()
            while sum(query.uncommitted for query in self._queries()) > _UNCOMMITTED:  # noqa: ASYNC110
                await asyncio.sleep(_ROOM_S)
