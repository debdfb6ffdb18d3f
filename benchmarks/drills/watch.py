"""Polls the results in Pinot: the longest pause, and when they flow again."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import httpx

from benchmarks.drills.environment import Environment
from tests.integration.comparison import DIMENSIONS

_LOOK_S: Final = 0.3
_ANSWER_S: Final = 2.0


class Watch:
    """``newest``: per table, the greatest event time (ms) that a query has shown so far. Event time is the clock of the generator, so it
    grows with every new result and never for an old one that is shown again."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.newest = dict.fromkeys(DIMENSIONS, 0)
        self._moved: dict[str, float] = {}
        self._gaps = dict.fromkeys(DIMENSIONS, 0.0)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.gather(*(self._poll(table) for table in DIMENSIONS))
            await asyncio.sleep(_LOOK_S)

    @property
    def gap_s(self) -> float:
        """The longest time in which one of the tables got nothing new, counted from its first result on."""
        return max(self._gaps.values())

    def shows(self, since_ms: int) -> bool:
        """Whether every table shows an event that was made after ``since_ms``."""
        return all(newest > since_ms for newest in self.newest.values())

    async def _poll(self, table: str) -> None:
        sql = f"SELECT MAX(updated_at) AS newest FROM {table}"
        url = self._environment.ports.url("pinot_broker") + "/query/sql"
        try:
            answer = (await self._environment.http.post(url, json={"sql": sql}, timeout=_ANSWER_S)).json()
            value = float(answer["resultTable"]["rows"][0][0])
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            return
        # Pinot's maximum of no rows is minus infinity.
        if value <= self.newest[table] or answer.get("exceptions"):
            return
        now = time.monotonic()
        if table in self._moved:
            self._gaps[table] = max(self._gaps[table], now - self._moved[table])
        self._moved[table] = now
        self.newest[table] = int(value)
