"""A ksql server of its own per test, on the real brokers: own service id, own topics, killed and started at will."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import ConsumerRecord

from services.ksql.runtime.kafka_consumer import committed_consumer
from shared.aiokafka_internals import all_metadata, stop_consumer
from shared.kafka import admin_client, end_offsets
from shared.partitioner import partition_for
from tests.patience import STEP_S, WORK_S, eventually
from tests.ports import free_port

_ROOT = Path(__file__).parents[3]


class KsqlServer:
    """One server process. ``prefix`` begins the names of all topics of a test, so that tests do not meet."""

    def __init__(self, bootstrap: str, *, commit_interval_s: float = 0.2) -> None:
        self.bootstrap = bootstrap
        self.prefix = f"k{uuid4().hex[:8]}_"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.AsyncClient(base_url=self.url, timeout=STEP_S)
        self._interval = commit_interval_s
        self._process: asyncio.subprocess.Process | None = None
        self.log = Path(os.environ.get("TMPDIR", "/tmp")) / f"{self.prefix}server.log"

    async def start(self) -> None:
        """Starts the process and waits until queries run."""
        environment = {
            **os.environ,
            "PAGEPULSE_PORT": str(self.port),
            "PAGEPULSE_HOST": "127.0.0.1",
            "PAGEPULSE_SERVICE_ID": self.prefix,
            "PAGEPULSE_KAFKA_BOOTSTRAP": self.bootstrap,
            "PAGEPULSE_COMMIT_INTERVAL": f"PT{self._interval}S",
        }
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.ksql", cwd=_ROOT, env=environment, stdout=log, stderr=log
            )
        await eventually(self._is_ready, lambda: self.log.read_text()[-3000:], every_s=0.1)

    async def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text()[-3000:]
        try:
            return (await self.client.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM; gives up after a while."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STEP_S):
                    await self._process.wait()
            except TimeoutError:
                await self.kill()

    async def ksql(self, text: str, *, earliest: bool = True) -> list[dict[str, Any]]:
        """Runs statements; fails the test if they are refused."""
        properties = {"ksql.streams.auto.offset.reset": "earliest"} if earliest else {}
        response = await self.client.post("/ksql", json={"ksql": text, "streamsProperties": properties})
        assert response.status_code == 200, response.text
        entities: list[dict[str, Any]] = response.json()
        for entity in entities:
            status = entity.get("commandStatus")
            assert status is None or status["status"] == "SUCCESS", entity
        return entities

    async def quiet(self) -> None:
        """Waits until every query has committed what it made of all that is in its topics: first as the server knows them, then as the
        brokers do, for a query that has just been resumed does not know yet how far its topics go."""
        behind: list[str] = []

        async def is_quiet() -> bool:
            extended = (await self.ksql("SHOW QUERIES EXTENDED;"))[0]["queryDescriptions"]
            assert all(q["state"] in ("RUNNING", "PAUSED") for q in extended), extended
            read = [
                (q["id"], (entity["topic"], entity["partition"]), o["committedOffset"], o["endOffset"])
                for q in extended
                for task in q["tasksMetadata"]
                for o in task["topicOffsets"]
                for entity in [o["topicPartitionEntity"]]
            ]
            known = {tp: end for _, tp, _, end in read}
            if all(committed >= end for _, _, committed, end in read):
                ends = await end_offsets(self.bootstrap, {topic for topic, _ in known})
                known |= {(tp.topic, tp.partition): end for tp, end in ends.items()}
            behind[:] = [f"{q['id']} has no task" for q in extended if not q["tasksMetadata"]]
            behind.extend(
                f"{query} has committed {committed} of {topic}-{partition}, which ends at {max(end, known[topic, partition])}"
                for query, (topic, partition), committed, end in read
                if committed < max(end, known[topic, partition])
            )
            return not behind

        def explanation() -> str:
            return "\n".join(["no query has lag", *behind, self.log.read_text()[-3000:]])

        await eventually(is_quiet, explanation, WORK_S, self._interval)

    async def create_topic(self, name: str, partitions: int, **config: str) -> str:
        topic = self.prefix + name
        async with admin_client(self.bootstrap) as admin:
            await admin.create_topics([NewTopic(topic, partitions, 3, topic_configs=config)])
            await eventually(lambda: _exists(admin, topic), f"the topic {topic}")
        return topic

    async def clean_up(self) -> None:
        """Deletes every topic of this test, and the log of a server that ended well."""
        async with admin_client(self.bootstrap) as admin:
            mine = [t for t in await admin.list_topics() if self.prefix in t]
            if mine:
                await admin.delete_topics(mine)
        if "PAGEPULSE_KEEP_LOGS" not in os.environ:
            self.log.unlink(missing_ok=True)


async def _exists(admin: AIOKafkaAdminClient, topic: str) -> bool:
    described = await admin.describe_topics([topic])
    return (
        bool(described) and not described[0]["error_code"] and all(p["leader"] >= 0 for p in described[0]["partitions"])
    )


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def key_bytes(value: Any) -> bytes | None:
    """A key in the KAFKA format: texts as UTF-8, numbers as 4 bytes."""
    if value is None:
        return None
    return struct.pack(">i", value) if isinstance(value, int) else str(value).encode()


async def send_all(
    producer: AIOKafkaProducer, topic: str, partitions: int, records: Iterable[tuple[bytes | None, bytes | None, int]]
) -> None:
    """Sends (key, value, timestamp) in order, by Java's partitioner."""
    futures = []
    for key, value, timestamp in records:
        partition = partition_for(key, partitions) if key is not None else 0
        futures.append(await producer.send(topic, value, key, partition, timestamp))
    await producer.flush()
    for future in futures:
        await future


async def read_all(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """Every committed record of a topic, partition by partition."""
    consumer = committed_consumer(bootstrap)
    await consumer.start()
    try:
        metadata = await all_metadata(consumer)
        tps = [TopicPartition(topic, p) for p in sorted(metadata.partitions_for_topic(topic) or ())]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        await consumer.seek_to_beginning(*tps)
        records: list[ConsumerRecord] = []
        async with asyncio.timeout(WORK_S):
            while True:
                for polled in (await consumer.getmany(timeout_ms=200)).values():
                    records += polled
                if all([await consumer.position(tp) >= ends[tp] for tp in tps]):
                    return sorted(records, key=lambda r: (r.partition, r.offset))
    finally:
        await stop_consumer(consumer)


def latest(records: Sequence[ConsumerRecord]) -> dict[bytes, bytes]:
    """The last value of each key; keys whose last record is a tombstone are absent."""
    values = {r.key: r.value for r in records}
    return {key: value for key, value in values.items() if value is not None}
