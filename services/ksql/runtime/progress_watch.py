"""Notices a query that has input and makes no progress, so that none stands still unseen.

The usual reasons are elsewhere: brokers that do not answer (``shared_consumers.py`` opens such a consumer again) or a query upstream that
is itself behind. A query whose records are here, and that is not waiting for any of these, is woken; if that does not help, the session
starts anew from the changelog, which is what a restart of the process would do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.query_task import PersistentTask, QueryState

_log = structlog.get_logger(__name__)

#: how often it looks, and after how many looks without progress a query is reported and woken, and the session is given up. Counted in
#: looks, because a process that does not get the processor makes no progress either.
_LOOK_S, _REPORT_LOOKS, _RESTART_LOOKS = 5.0, 12, 24


class Stalled(BrokerError):
    """A query makes no progress although nothing is known to hold it up."""


@dataclass(slots=True)
class _Seen:
    """The positions of a query and of those upstream, and how many looks ago they were others."""

    task: PersistentTask
    positions: list[int]
    looks: int = 0


class ProgressWatch:
    """Watches the queries of one session. ``wake`` makes the scheduler look for work."""

    def __init__(self, queries: Mapping[str, PersistentTask], wake: Callable[[], None]) -> None:
        self._queries = queries
        self._wake = wake
        self._seen: dict[str, _Seen] = {}

    async def run(self) -> None:
        """Looks until cancelled.

        Raises:
            Stalled: see there.
        """
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        """Compares every query with what it was at the last look.

        Raises:
            Stalled: see there.
        """
        seen, self._seen = self._seen, {}
        for query_id, task in self._queries.items():
            if task.state is not QueryState.RUNNING or not task.has_input:
                continue
            positions = [sum(one.positions.values()) for one in (task, *task.upstream)]
            before = seen.get(query_id)
            if before is None or before.task is not task or before.positions != positions:
                if before is not None and before.looks >= _REPORT_LOOKS:
                    _log.info("query makes progress again", query=query_id, lag=task.lag)
                self._seen[query_id] = _Seen(task, positions)
                continue
            before.looks += 1
            self._seen[query_id] = before
            self._act(query_id, task, before.looks)

    def _act(self, query_id: str, task: PersistentTask, looks: int) -> None:
        obstacle = task.obstacle
        if looks == _REPORT_LOOKS:
            _log.warning(
                "query makes no progress",
                query=query_id,
                reason=obstacle or "its records are here and not processed",
                lag=task.lag,
                for_s=looks * _LOOK_S,
            )
        if looks >= _REPORT_LOOKS:
            self._wake()
        if looks >= _RESTART_LOOKS and obstacle is None:
            raise Stalled(f"the query {query_id} makes no progress although its records are here")
