"""Push queries, and pull queries over streams: queries without a sink whose rows go to one client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from services.ksql.engine.chunk import Chunk
from services.ksql.engine.query import Query
from services.ksql.runtime.broker import Lane
from services.ksql.runtime.running import RunningQuery

Row = Sequence[Any]


class TransientQuery(RunningQuery):
    """Rows wait here until the client takes them; the query stands still while ``backlog`` rows wait.

    With ``ends`` it is over when it has read up to these offsets (a pull query over a stream), with ``limit`` after so many rows.
    """

    def __init__(
        self,
        query_id: str,
        query: Query,
        positions: Mapping[Lane, int],
        *,
        backlog: int,
        limit: int | None = None,
        ends: Mapping[Lane, int] | None = None,
    ) -> None:
        super().__init__(query_id, query, positions)
        self._rows: list[Row] = []
        self._backlog = backlog
        self._remaining = limit
        self._ends = ends
        self._changed = asyncio.Event()
        self.limit_reached = limit == 0
        self._finished = limit == 0 or (ends is not None and self._reached(ends))
        self.dirty = False

    @property
    def ready(self) -> bool:
        return not self._finished and len(self._rows) < self._backlog and super().ready

    def deliver(self, lane: Lane, chunk: Chunk | None, *, position: int, end: int) -> None:
        super().deliver(lane, chunk, position=position, end=end)
        self._check_end()

    def step(self, limit: int) -> int:
        done = super().step(limit)
        self.dirty = False
        self._outputs.clear()
        self.uncommitted = 0
        self._add(self.query.poll_rows())
        self._check_end()
        if self.error is not None:
            self._finish()
        return done

    def close(self) -> None:
        """Ends the query; a client that waits gets what is there."""
        self._finish()

    async def take(self) -> list[Row] | None:
        """The rows since the last call, as soon as there are any; None when the query is over.

        Raises:
            RuntimeError: the query failed.
        """
        while not self._rows:
            if self.error is not None:
                raise RuntimeError(self.error)
            if self._finished:
                return None
            self._changed.clear()
            await self._changed.wait()
        rows, self._rows = self._rows, []
        return rows

    def _add(self, rows: Sequence[Row]) -> None:
        if self._finished or not rows:
            return
        if self._remaining is not None:
            rows = rows[: self._remaining]
            self._remaining -= len(rows)
        self._rows.extend(rows)
        if self._remaining == 0:
            self.limit_reached = True
            self._finish()
        self._changed.set()

    def _check_end(self) -> None:
        if self._ends is not None and self._reached(self._ends):
            self._finish()

    def _reached(self, ends: Mapping[Lane, int]) -> bool:
        return all(self.progress[lane].position >= end for lane, end in ends.items())

    def _finish(self) -> None:
        self._finished = True
        self._changed.set()
