"""A day of windows as ksql would have written them: into the sink topics of a stack, from where Pinot takes them."""

from __future__ import annotations

import asyncio
import random
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
from aiokafka import AIOKafkaProducer

import services.seeder
from services.dashboard import palette
from services.generator.behaviour import PAGES
from shared import topics
from shared.partitioner import partition_for

DAY_MS: Final = 24 * 3_600_000
MINUTE_MS: Final = 60_000
#: as in the pipeline's SQL
FIVE_MS: Final = 5 * MINUTE_MS
#: a burst of traffic and the pause after it, so that a day has about as many as with the generator's waves
BURST_MS: Final = 60_000
PAUSE_MS: Final = 40_000
BATCH_BYTES: Final = 512 * 1024
ARRIVAL_DEADLINE_S: Final = 180.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sink:
    """One table: its topic, and the column that groups its rows."""

    table: str
    topic: str
    group: str


SINKS: Final = (
    Sink("pageview_country", topics.PAGE_VIEW_COUNTRY, "country"),
    Sink("pageview_tumbling", topics.PAGE_VIEW_TUMBLING, "source"),
    Sink("pageview_hopping", topics.PAGE_VIEW_HOPPING, "source"),
    Sink("pageview_session", topics.PAGE_VIEW_SESSION, "source"),
    Sink("usersession_device", topics.USER_SESSION_DEVICE, "device"),
    Sink("pageview_page", topics.PAGE_VIEW_PAGE, "page"),
)


def countries() -> list[str]:
    data = Path(services.seeder.__file__).parent / "data" / "countries.toml"
    return [str(country["name"]) for country in tomllib.loads(data.read_text())["countries"]]


def windows(sink: Sink, now_ms: int) -> Iterator[tuple[str, int, int]]:
    """Group, start and end of every window of the last 24 hours, the open ones included."""
    groups = {
        "country": countries(),
        "source": list(palette.SOURCES),
        "device": list(palette.DEVICES),
        "page": list(PAGES),
    }[sink.group]
    step = FIVE_MS if sink.group in ("country", "page") else MINUTE_MS
    size = FIVE_MS if sink.table == "pageview_hopping" else step
    first = now_ms - DAY_MS
    if sink.table == "pageview_session":
        for turn, group in enumerate(groups):
            for start in range(first + turn * 10_000, now_ms, BURST_MS + PAUSE_MS):
                yield group, start, start + BURST_MS
        return
    for start in range(first // step * step + step, now_ms + 1, step):
        for group in groups:
            yield group, start, start + size


def versions(sink: Sink, window: tuple[str, int, int], count: int, chance: random.Random) -> Iterator[Row]:
    """The rows that one window had while it grew; the last one is what Pinot shows."""
    group, start, end = window
    most = chance.randint(200, 2_000)
    counted = "session_count" if sink.group == "device" else "view_count"
    for version in range(1, count + 1):
        grown = most * version // count
        row = {sink.group: group, "window_start": start, "window_end": end, counted: grown}
        row |= {"user_count": grown // 3, "updated_at": start + (end - start) * version // count}
        yield row | ({"average_age": round(25 + 20 * chance.random(), 2)} if sink.group == "country" else {})


async def fill(bootstrap: str, broker: str, count: int) -> dict[str, dict[str, int]]:
    """Writes the day, each window in ``count`` versions, and waits until Pinot has it: rows and records per table.

    Raises:
        RuntimeError: Pinot did not take all of it in time.
    """
    now_ms, chance = int(time.time() * 1000), random.Random(7)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks=1, max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        filled = {}
        for sink in SINKS:
            filled[sink.table] = {"rows": await write(producer, sink, now_ms, count, chance)}
            filled[sink.table]["records"] = filled[sink.table]["rows"] * count
    finally:
        await producer.stop()
    async with httpx.AsyncClient(base_url=broker, timeout=10) as pinot:
        for table, figures in filled.items():
            await arrived(pinot, table, figures["records"])
    return filled


async def write(producer: AIOKafkaProducer, sink: Sink, now_ms: int, count: int, chance: random.Random) -> int:
    """The number of windows. All windows of a group go to one partition, as an upsert needs it."""
    batches: dict[int, Any] = {}
    rows = 0
    for window in windows(sink, now_ms):
        rows += 1
        key = window[0].encode()
        partition = partition_for(key, topics.PARTITIONS)
        for row in versions(sink, window, count, chance):
            value = orjson.dumps(row)
            batch = batches.setdefault(partition, producer.create_batch())
            if batch.append(key=key, value=value, timestamp=row["updated_at"]) is None:
                await producer.send_batch(batch, sink.topic, partition=partition)
                batches[partition] = batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=row["updated_at"])
    for partition, batch in batches.items():
        await producer.send_batch(batch, sink.topic, partition=partition)
    await producer.flush()
    return rows


async def arrived(pinot: httpx.AsyncClient, table: str, records: int) -> None:
    """Until the table has taken in ``records``, those that a newer version has replaced included."""
    sql = f"SET skipUpsert=true; SELECT COUNT(*) FROM {table} LIMIT 1"
    deadline = time.monotonic() + ARRIVAL_DEADLINE_S
    while True:
        answer = (await pinot.post("/query/sql", json={"sql": sql})).json()
        seen = int(answer["resultTable"]["rows"][0][0])
        if seen >= records:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{table}: Pinot has {seen:,} of {records:,} records")
        await asyncio.sleep(0.5)
