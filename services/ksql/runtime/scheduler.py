"""The scheduler of query tasks: round robin in slices, yielding to the event loop between slices so that REST calls get through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic

from services.ksql.runtime.query_task import STEP_RECORDS, ClientTask, PersistentTask, QueryState

#: with more records than this uncommitted the scheduler waits for the commit, so that a slow broker does not fill the memory
MAX_UNCOMMITTED = 100_000
_UNCOMMITTED_POLL_S = 0.01
_YIELD_S = 0.005


class Scheduler:
    """Runs until cancelled. ``wake`` must be called when records were delivered, and when a watermark rose: at a commit, and when a query
    is paused or ended."""

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
                    worked += query.step(STEP_RECORDS)
                    # those that are aligned behind a query that failed need not wait for it any more
                    worked += query.state is QueryState.ERROR
                if query.dirty:
                    self._on_progress()
                if monotonic() - since > _YIELD_S:
                    await asyncio.sleep(0)
                    since = monotonic()
            if worked:
                await asyncio.sleep(0)
            else:
                await self._awake.wait()
            while sum(query.uncommitted for query in self._queries()) > MAX_UNCOMMITTED:  # noqa: ASYNC110
                await asyncio.sleep(_UNCOMMITTED_POLL_S)
