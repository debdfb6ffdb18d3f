"""What the ksql benchmark measures besides throughput: REST answers at full speed, cost and latency at a steady rate."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from collections import defaultdict
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.ksql_load import country_of
from benchmarks.ksql_process import KsqlProcess
from shared import topics
from shared.events import PageView, Source
from shared.partitioner import partition_for

RATE: Final = 200
SECONDS: Final = 20.0
_WARM_S: Final = 3.0
#: sinks whose newest record of a key says how far that key has come
_TABLES: Final = (topics.PAGE_VIEW_TUMBLING, topics.PAGE_VIEW_HOPPING, topics.PAGE_VIEW_COUNTRY)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def rest_latencies(server: KsqlProcess, *, per_second: int = 20) -> dict[str, dict[str, float]]:
    """Calls GET /info and SHOW QUERIES in turn until cancelled; milliseconds of each."""
    found: dict[str, list[float]] = {"GET /info": [], "SHOW QUERIES": []}
    due = time.perf_counter()
    try:
        while True:
            for name, values in found.items():
                due += 1 / per_second
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                began = time.perf_counter()
                if name == "GET /info":
                    await server.client.get("/info")
                else:
                    await server.ksql("SHOW QUERIES;")
                values.append((time.perf_counter() - began) * 1000)
    except asyncio.CancelledError:
        return {
            name: {
                "p50": round(percentile(values, 0.5), 1),
                "p99": round(percentile(values, 0.99), 1),
                "calls": len(values),
            }
            for name, values in found.items()
            if values
        }


async def steady(server: KsqlProcess) -> dict[str, Any]:
    """Events of this moment at a steady rate: CPU share of the server, and how soon each event is in the sinks.

    An event counts as there when the first record of its key arrives, read as committed, that covers its time.
    """
    seen: dict[str, list[tuple[float, bytes, int]]] = defaultdict(list)
    readers = [asyncio.create_task(_read(server, topic, seen[topic])) for topic in _TABLES]
    await asyncio.sleep(2)
    idle_cpu = server.cpu_s
    await asyncio.sleep(5)
    idle = (server.cpu_s - idle_cpu) / 5
    events = await _produce(server, _WARM_S)
    cpu, began = server.cpu_s, time.perf_counter()
    events = await _produce(server, SECONDS)
    share = (server.cpu_s - cpu) / (time.perf_counter() - began)
    await asyncio.sleep(2)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    latencies = {
        topic: _latencies(events, seen[topic], by_country=topic == topics.PAGE_VIEW_COUNTRY) for topic in _TABLES
    }
    return {
        "events_per_s": RATE,
        "idle_cpu_share": round(idle, 4),
        "cpu_share": round(share, 4),
        "latency_ms": {
            topic: {
                "p50": round(percentile(v, 0.5)),
                "p99": round(percentile(v, 0.99)),
                "missing": v.count(float("inf")),
            }
            for topic, v in latencies.items()
        },
    }


async def _produce(server: KsqlProcess, seconds: float) -> list[tuple[int, str, str]]:
    """Sends; gives (event time, source, country) of each event."""
    producer = AIOKafkaProducer(bootstrap_servers=server.bootstrap, acks="all")
    await producer.start()
    rng, kinds = random.Random(3), list(Source)
    sent: list[tuple[int, str, str]] = []
    futures = []
    began = time.perf_counter()
    try:
        for number in range(int(RATE * seconds)):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            user = rng.randrange(1, 1_000)
            view = PageView(f"live-{number % 100}", user, rng.choice(kinds), time.time_ns() // 1_000_000)
            partition = partition_for(view.key(), topics.PARTITIONS)
            futures.append(
                await producer.send(
                    server.prefix + topics.PAGE_VIEW, view.value(), view.key(), partition, view.event_timestamp
                )
            )
            if user % 50:
                sent.append((view.event_timestamp, view.source.value, country_of(user)))
        for future in futures:
            await future
    finally:
        await producer.stop()
    return sent


async def _read(server: KsqlProcess, topic: str, into: list[tuple[float, bytes, int]]) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=server.bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(server.prefix + topic, p) for p in range(topics.PARTITIONS)])
        await consumer.seek_to_end()
        while True:
            polled = await consumer.getmany(timeout_ms=1_000)
            now = time.time() * 1000
            into.extend((now, r.key[:-8], r.timestamp) for records in polled.values() for r in records if r.value)
    finally:
        await consumer.stop()


def _latencies(
    events: list[tuple[int, str, str]], seen: list[tuple[float, bytes, int]], *, by_country: bool
) -> list[float]:
    """Milliseconds from each event to the first record of its key with its time or a later one; inf if there is none."""
    arrived: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for now, key, timestamp in seen:
        covered = arrived[key.decode()]
        if not covered or timestamp > covered[-1][0]:
            covered.append((timestamp, now))
    found = []
    for t, source, country in events:
        covered = arrived[country if by_country else source]
        at = bisect_left(covered, (t, 0.0))
        found.append(covered[at][1] - t if at < len(covered) else float("inf"))
    return found
