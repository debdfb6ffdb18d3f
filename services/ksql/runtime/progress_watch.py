"""Detects queries that have input and make no progress.

The usual reasons are elsewhere: brokers that do not answer (``shared_consumers.py`` opens such a consumer again) or a query upstream that
is itself behind. A query with fetched records that waits for neither is woken; if that does not help, the session
restarts from the changelog, as a restart of the process would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.query_task import PersistentTask, QueryState

_log = structlog.get_logger(__name__)

#: how often it checks, and after how many checks without progress a query is reported and woken, and the session is given up. Counted in
#: checks, because a process that does not get the processor makes no progress either.
_CHECK_S, _REPORT_CHECKS, _RESTART_CHECKS = 5.0, 12, 24


class Stalled(BrokerError):
    """A query makes no progress without a known obstacle."""


@dataclass(slots=True)
class _Seen:
    """The positions of a query and of those upstream, and for how many checks they have been the same."""

    task: PersistentTask
    positions: list[int]
    checks: int = 0


class ProgressWatch:
    """Watches the queries of one session. ``wake`` makes the scheduler look for work."""

    def __init__(self, queries: Mapping[str, PersistentTask], wake: Callable[[], None]) -> None:
        self._queries = queries
        self._wake = wake
        self._seen: dict[str, _Seen] = {}

    async def run(self) -> None:
        """Checks until cancelled.

        Raises:
            Stalled: see there.
        """
        while True:
            await asyncio.sleep(_CHECK_S)
            self.check()

    def check(self) -> None:
        """Compares the positions of every query with those of the last check.

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
                if before is not None and before.checks >= _REPORT_CHECKS:
                    _log.info("query makes progress again", query=query_id, lag=task.lag)
                self._seen[query_id] = _Seen(task, positions)
                continue
            before.checks += 1
            self._seen[query_id] = before
            self._act(query_id, task, before.checks)

    def _act(self, query_id: str, task: PersistentTask, checks: int) -> None:
        obstacle = task.obstacle
        if checks == _REPORT_CHECKS:
            _log.warning(
                "query makes no progress",
                query=query_id,
                reason=obstacle or "its fetched records are not processed",
                lag=task.lag,
                for_s=checks * _CHECK_S,
            )
        if checks >= _REPORT_CHECKS:
            self._wake()
        if checks >= _RESTART_CHECKS and obstacle is None:
            raise Stalled(f"the query {query_id} makes no progress although its records are fetched")
