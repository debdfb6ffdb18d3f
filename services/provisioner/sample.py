"""A few rows of every topic and table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord

from services.provisioner.decoding import KeyDecoder, decode_value
from services.provisioner.pipeline import Servers
from services.provisioner.resource import Kind, Resource
from shared.errors import NotFound, PagePulseError

#: consumers open at a time: each costs connections to all brokers
_TOPICS_AT_ONCE = 4

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """``read_by`` says how the rows were had; ``error`` why there are none."""

    name: str
    read_by: str
    rows: list[Row] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    topics: list[Sample]
    ksql: list[Sample]
    pinot_tables: list[Sample]


async def take_samples(
    resources: Sequence[Resource], servers: Servers, decoders: dict[str, KeyDecoder], rows: int
) -> Samples:
    """At most ``rows`` of each: newest records of a topic, a pull query's answer or else the topic's end for a ksqlDB table, the
    newest rows of a Pinot table. What cannot be read says so in its own entry."""
    names = {kind: [r.name for r in resources if r.kind is kind] for kind in Kind}
    few = asyncio.Semaphore(_TOPICS_AT_ONCE)

    async def topic(name: str) -> Sample:
        async with few:
            return await _guarded(name, "topic", lambda: _tail(servers, decoders, name, rows))

    async def table(name: str) -> Sample:
        return await _guarded(name, "pull query", lambda: _pull(servers, name, rows))

    async def pinot(name: str) -> Sample:
        sql = f"SELECT * FROM {name} ORDER BY updated_at DESC LIMIT {rows}"  # noqa: S608 - names of ours, a checked number
        return await _guarded(name, "query", lambda: servers.pinot.query(sql))

    topics, tables, pinot_tables = await asyncio.gather(
        asyncio.gather(*map(topic, names[Kind.TOPIC])),
        asyncio.gather(*map(table, names[Kind.QUERY])),
        asyncio.gather(*map(pinot, names[Kind.PINOT_TABLE])),
    )
    by_topic = {sample.name: sample for sample in topics}
    sinks = {r.depends_on[0].partition(":")[2]: r.name for r in resources if r.kind is Kind.TOPIC and r.depends_on}
    return Samples(topics, [_or_topic(sample, by_topic.get(sinks[sample.name])) for sample in tables], pinot_tables)


def _or_topic(sample: Sample, topic: Sample | None) -> Sample:
    """A stream cannot be pulled from, and a session table answers a scan with nothing: then the topic's end is used."""
    if sample.rows or topic is None:
        return sample
    return Sample(sample.name, f"end of {topic.name}", topic.rows, topic.error)


async def _guarded(name: str, read_by: str, read: Callable[[], Awaitable[list[Row]]]) -> Sample:
    try:
        return Sample(name, read_by, await read())
    except PagePulseError as error:
        return Sample(name, read_by, error=error.detail)


async def _tail(servers: Servers, decoders: dict[str, KeyDecoder], name: str, rows: int) -> list[Row]:
    if await servers.kafka.describe(name) is None:
        raise NotFound(f"there is no topic {name}")
    return [_record(record, decoders.get(name, KeyDecoder())) for record in await servers.kafka.tail(name, rows)]


async def _pull(servers: Servers, name: str, rows: int) -> list[Row]:
    columns, values = await servers.ksql.rows(f"SELECT * FROM {name} LIMIT {rows};")  # noqa: S608 - a name of ours
    return [dict(zip(columns, row, strict=True)) for row in values[:rows]]


def _record(record: ConsumerRecord[bytes, bytes], decoder: KeyDecoder) -> Row:
    try:
        key = decoder.decode(record.key)
        row: Row = {"key": key.key}
        if key.window_start is not None:
            row |= {"window_start": key.window_start, "window_end": key.window_end}
    except ValueError as error:
        row = {"key": f"undecodable: {error}"}
    return row | {
        "value": decode_value(record.value),
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
    }
