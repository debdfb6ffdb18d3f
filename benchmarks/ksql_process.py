"""A ksql server of the benchmark's own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic

from benchmarks.brokers import OFFSET
from shared import topics
from shared.kafka import admin_client

_ROOT: Final = Path(__file__).parents[1]
_START_S: Final = 60.0
_FINISH_S: Final = 900.0
#: with nothing new in any sink for this long, and no lag, the pipeline is done
_QUIET_S: Final = 1.5
_LOOK_S: Final = 0.1
SINKS: Final = (
    topics.PAGE_VIEW_ENRICHED,
    topics.PAGE_VIEW_COUNTRY,
    topics.PAGE_VIEW_TUMBLING,
    topics.PAGE_VIEW_HOPPING,
    topics.PAGE_VIEW_SESSION,
    topics.USER_SESSION_DEVICE,
    topics.PAGE_VIEW_PAGE,
)
#: segments that retention does not touch: event times lie in the past
_SOURCE_CONFIG: Final = {"retention.ms": "-1"}


class KsqlProcess:
    """One server process; ``prefix`` begins the names of all its topics."""

    def __init__(self, bootstrap: str, prefix: str, *, profile: Path | None = None) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self._profile = profile
        port = 8088 + OFFSET
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120)
        self._environment = {
            **os.environ,
            "PAGEPULSE_PORT": str(port),
            "PAGEPULSE_HOST": "127.0.0.1",
            "PAGEPULSE_SERVICE_ID": prefix,
            "PAGEPULSE_KAFKA_BOOTSTRAP": bootstrap,
            "PAGEPULSE_PROFILE": str(profile or ""),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        module = "services.ksql" if self._profile is None else "benchmarks.profiled_ksql"
        log = Path(tempfile.gettempdir()) / f"pagepulse-bench-{self.prefix}.log"
        with log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, cwd=_ROOT, env=self._environment, stdout=output, stderr=output
            )
        async with asyncio.timeout(_START_S):
            while not await self._is_ready():  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)
        log.unlink()

    async def _is_ready(self) -> bool:
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError("the ksql server ended while it started")
        try:
            return (await self.client.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        await self.client.aclose()

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all threads so far."""
        times = psutil.Process(self._pid).cpu_times()
        return float(times.user + times.system)

    @property
    def peak_rss(self) -> int:
        """Bytes: the most that the process ever held."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self._pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0

    @property
    def _pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    async def ksql(self, text: str) -> list[dict[str, Any]]:
        """Runs statements from the earliest offset on.

        Raises:
            RuntimeError: they were refused.
        """
        body = {"ksql": text, "streamsProperties": {"ksql.streams.auto.offset.reset": "earliest"}}
        response = await self.client.post("/ksql", json=body)
        if response.status_code != 200:
            raise RuntimeError(response.text)
        entities: list[dict[str, Any]] = response.json()
        for entity in entities:
            if entity.get("commandStatus", {}).get("status", "SUCCESS") != "SUCCESS":
                raise RuntimeError(f"{text}: {entity}")
        return entities

    async def lag(self) -> int:
        """Records of all queries that are there and not processed."""
        extended = (await self.ksql("SHOW QUERIES EXTENDED;"))[0]["queryDescriptions"]
        if any(query["state"] not in ("RUNNING", "PAUSED") for query in extended):
            raise RuntimeError(f"a query has failed: {extended}")
        offsets = [o for q in extended for task in q["tasksMetadata"] for o in task["topicOffsets"]]
        return sum(o["endOffset"] - o["committedOffset"] for o in offsets)

    async def settled(self) -> float:
        """Waits until nothing is left to do; gives the time (``perf_counter``) of the last change in a sink."""
        async with asyncio.timeout(_FINISH_S), sink_ends(self.bootstrap, self.prefix) as ends:
            first = last = await ends()
            moved = time.perf_counter()
            while True:
                await asyncio.sleep(_LOOK_S)
                now = await ends()
                if now != last:
                    last, moved = now, time.perf_counter()
                elif last != first and time.perf_counter() - moved > _QUIET_S and await self.lag() == 0:
                    return moved

    async def create_sources(self) -> None:
        names = (topics.PAGE_VIEW, topics.USER_SESSION, topics.USERS)
        async with admin_client(self.bootstrap) as admin:
            await admin.create_topics(
                [
                    NewTopic(
                        self.prefix + name, topics.PARTITIONS, topics.REPLICATION_FACTOR, topic_configs=_SOURCE_CONFIG
                    )
                    for name in names
                ]
            )
        await asyncio.sleep(1)

    async def delete_topics(self) -> None:
        async with admin_client(self.bootstrap) as admin:
            await admin.delete_topics([name for name in await admin.list_topics() if self.prefix in name])


@asynccontextmanager
async def sink_ends(bootstrap: str, prefix: str) -> AsyncIterator[Any]:
    """A function that gives the readable end of every sink partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    partitions = [TopicPartition(prefix + name, p) for name in SINKS for p in range(topics.PARTITIONS)]
    try:
        yield lambda: consumer.end_offsets(partitions)
    finally:
        await consumer.stop()


async def latest_values(bootstrap: str, topic: str) -> dict[bytes, bytes]:
    """The last value of each key of a sink; a key whose last record is a tombstone is absent."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    latest: dict[bytes, bytes | None] = {}
    try:
        partitions = [TopicPartition(topic, p) for p in range(topics.PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        async with asyncio.timeout(60):
            while not all([await consumer.position(partition) >= ends[partition] for partition in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    latest.update({record.key: record.value for record in records})
    finally:
        await consumer.stop()
    return {key: value for key, value in latest.items() if value is not None}
