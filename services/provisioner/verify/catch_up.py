"""Whether the queries have read the sources to the end: before, a missing row proves nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from services.provisioner.clients.kafka import KafkaClient
from services.provisioner.kinds.statement import Query
from shared.errors import PagePulseError

_PAUSE = timedelta(seconds=1)


class CatchUp:
    """The queries, in dependency order, against the ends that the sources had when the audit began.

    What a query writes has its end taken when that query has caught up; then its readers are measured against that.
    """

    def __init__(self, queries: Sequence[Query], kafka: KafkaClient, ends: Mapping[str, Mapping[int, int]]) -> None:
        self._queries = queries
        self._kafka = kafka
        self._ends = dict(ends)
        self._waiting_helps = False

    async def behind(self) -> dict[str, int]:
        """Records that each late query has not read, by its table; one that reads a late one's result is late too. Empty if ksqlDB
        does not answer: then nothing is known."""
        found: dict[str, int] = {}
        late: set[str] = set()
        self._waiting_helps = False
        with suppress(PagePulseError):
            for query in self._queries:
                records, works = 0, True
                if late.isdisjoint(query.reads):
                    unknown = [topic for topic in query.reads if topic not in self._ends]
                    self._ends |= await self._kafka.end_offsets(unknown) if unknown else {}
                    records, works = await query.behind(self._ends)
                    if not records:
                        continue
                    self._waiting_helps = self._waiting_helps or works
                found[query.name] = records
                late.add(query.canonical.topic)
        return found

    async def wait(self, within: timedelta, progress: Callable[[int], None]) -> dict[str, int]:
        """Until nothing is behind, for at most ``within`` and only while a running query is; answers the queries that are still behind.
        ``progress`` is called with the number of records to go."""
        deadline = time.monotonic() + within.total_seconds()
        while (behind := await self.behind()) and self._waiting_helps and time.monotonic() < deadline:
            progress(sum(behind.values()))
            await asyncio.sleep(_PAUSE.total_seconds())
        return behind
