"""Takes whole fetches out of aiokafka's consumer.

``getmany`` makes two objects for each record and asks the broker for more only when all is handed out, record by record.
Here what was fetched of a partition is taken as a whole, and the next fetch begins at once. aiokafka has no public way to it, so
this uses its fetcher; which records belong to aborted transactions is still decided there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult

from services.ksql.engine.chunk import Chunk


class FetchedChunks:
    """What a consumer with assigned partitions has fetched."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def wait(self, tps: Collection[TopicPartition], timeout_s: float) -> None:
        """Returns as soon as there is something of these partitions, or at the end of the time.

        Raises:
            KafkaError: the broker has refused a fetch.
        """
        fetcher: Any = self._consumer._fetcher
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not any(tp in fetcher._records for tp in tps):
                    await fetcher._create_fetch_waiter()
        for tp in tps:
            if tp in fetcher._records and not isinstance(fetcher._records[tp], FetchResult):
                await self._consumer.getmany(tp, timeout_ms=0)  # it raises what went wrong

    def take(self, tp: TopicPartition) -> Chunk | None:
        """All that is here of a partition; the consumer's position moves behind it."""
        fetcher: Any = self._consumer._fetcher
        fetched = fetcher._records.get(tp)
        if not isinstance(fetched, FetchResult):
            return None
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)
        if not fetched.check_assignment(tp):
            return None
        partition: Any = fetched._partition_records
        partition._consumer_record = _as_it_is
        records = list(partition._records_iterator)
        fetched._update_position()
        if not records:
            return None
        headers = [record.headers for record in records]
        return Chunk(
            tp.topic,
            tp.partition,
            offsets=[record.offset for record in records],
            timestamps=[record.timestamp for record in records],
            keys=[record.key for record in records],
            values=[record.value for record in records],
            headers=[tuple(h) for h in headers] if any(headers) else None,
        )


def _as_it_is(tp: TopicPartition, record: Any) -> Any:
    return record
