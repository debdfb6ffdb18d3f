"""A topic of one partition, read from an offset to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.aiokafka_internals import stop_consumer
from shared.errors import Unavailable
from shared.kafka import end_offsets, open_consumer, unavailable

_CALL_S: Final = 30.0
_POLL_MS: Final = 500
_METADATA_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Stored:
    """A committed record."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """``begin``: the offset from which it was read. ``next``: the offset to go on from. ``end``: the end of the log when the read began."""

    records: Sequence[Stored]
    begin: int
    next: int
    end: int


async def read(
    bootstrap: str,
    topic: str,
    start: Callable[[int, int], int] = lambda first, end: first,
    *,
    limit: int | None = None,
    committed: bool = True,
) -> Page:
    """The committed records from ``start(first offset, end)`` on, ``limit`` at most.

    The end is that of what committed transactions wrote, or with ``committed=False`` that of the log: the read then waits until open
    transactions end. Compacted topics and transaction markers leave gaps in the offsets.

    Raises:
        Unavailable: no broker answers in time.
    """
    partition = TopicPartition(topic, 0)
    try:
        async with asyncio.timeout(_CALL_S):
            ends: dict[TopicPartition, int] = {}
            while partition not in ends:  # a topic that has just been created is not in every broker's metadata yet
                ends = await end_offsets(bootstrap, [topic], committed=committed)
                if partition not in ends:
                    await asyncio.sleep(_METADATA_PAUSE_S)
            consumer = await open_consumer(bootstrap)
            try:
                return await _read(consumer, partition, start, ends[partition], limit)
            finally:
                await stop_consumer(consumer)
    except TimeoutError as error:
        raise Unavailable(
            f"Kafka at {bootstrap}: {topic} was not read within {_CALL_S:.0f} s", service="kafka"
        ) from error
    except KafkaError as error:
        raise unavailable(bootstrap, error) from error


async def _read(
    consumer: AIOKafkaConsumer,
    partition: TopicPartition,
    start: Callable[[int, int], int],
    end: int,
    limit: int | None,
) -> Page:
    consumer.assign([partition])
    first = (await consumer.beginning_offsets([partition]))[partition]
    begin = position = max(first, start(first, end))
    consumer.seek(partition, begin)
    found: list[Stored] = []
    while position < end and (limit is None or len(found) < limit):
        most = None if limit is None else limit - len(found)
        for records in (await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=most)).values():
            found += [_stored(record) for record in records if record.offset < end]
        position = await consumer.position(partition)
    # Records that came after the read began are left to the next one.
    return Page(found, begin, max(min(position, end), first), end)


def _stored(record: Any) -> Stored:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    return Stored(record.offset, record.key, record.value, headers)
