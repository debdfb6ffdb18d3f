"""How old an event is when a query on Pinot first shows it.

A table's newest event time is asked for again and again. When an answer moves it from a to b, the events between a and b have become
visible since the answer before; each is as old as the answer minus its own time. So every event counts, not only the newest of each answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

_LOOK_S: Final = 0.05
#: one sample per so many milliseconds of event time
_STEP_MS: Final = 10
#: a source may pause, and a countries' table has events of its own pace: beyond this the time between is not one of waiting
_PAUSE_MS: Final = 30_000


@dataclass(slots=True)
class Freshness:
    """Samples in milliseconds, with the moment (``time.time``) at which each was taken."""

    table: str
    samples: list[tuple[float, float]] = field(default_factory=list)
    _newest: int = 0

    def note(self, newest: int, now: float) -> None:
        """An answer of ``now`` shows events up to ``newest``."""
        if newest > self._newest:
            if self._newest > 0 and newest - self._newest < _PAUSE_MS:
                self.samples += [(now, now * 1000 - at) for at in range(newest, self._newest, -_STEP_MS)]
            self._newest = newest

    def percentile(self, share: float, since: float = 0.0) -> float:
        """Milliseconds; not a number if there is no sample since then."""
        ordered = sorted(age for at, age in self.samples if at >= since)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


async def watch(broker_url: str, tables: Sequence[Freshness]) -> None:
    """Looks until cancelled; a broker that does not answer is asked again."""
    async with httpx.AsyncClient(base_url=broker_url, timeout=5, trust_env=False) as client:
        while True:
            for table in tables:
                sql = f"SELECT MAX(updated_at) AS newest FROM {table.table}"
                try:
                    answer = (await client.post("/query/sql", json={"sql": sql})).json()
                    newest = float(answer["resultTable"]["rows"][0][0])
                except (httpx.HTTPError, ValueError, LookupError, TypeError):
                    continue
                if newest > 0:
                    table.note(int(newest), time.time())
            await asyncio.sleep(_LOOK_S)
