"""A Kafka in memory, at the seam where the generator uses aiokafka's producer, and a seeder that answers pages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import httpx
from aiokafka.errors import KafkaConnectionError, ProducerClosed

from services.generator.kafka import Producer
from services.generator.settings import Settings
from shared.errors import Unavailable
from shared.json import loads

PARTITIONS = 5
Record = tuple[str, int, bytes, bytes]


class FakeBatch:
    """Holds at most ``limit`` records."""

    def __init__(self, limit: int) -> None:
        self.records: list[tuple[bytes, bytes]] = []
        self.limit = limit

    def append(self, *, timestamp: int, key: bytes, value: bytes) -> object | None:
        assert timestamp > 1_600_000_000_000
        if len(self.records) >= self.limit:
            return None
        self.records.append((key, value))
        return object()

    def close(self) -> None:
        self.limit = 0


class FakeBroker:
    """Keeps what was sent in ``log``, or the last ``kept`` records of it. ``open`` cleared keeps acknowledgements back, ``slow_s`` makes
    each of them take so long; ``failures`` are errors for the next batches."""

    def __init__(
        self,
        *,
        topics: Sequence[str] | None = None,
        unavailable: bool = False,
        batch_limit: int = 100,
        slow_s: float = 0.0,
        kept: int | None = None,
    ) -> None:
        defaults = Settings()
        self.topics = (defaults.page_view_topic, defaults.user_session_topic) if topics is None else topics
        self.unavailable = unavailable
        self.batch_limit = batch_limit
        self.slow_s = slow_s
        self.log: deque[Record] = deque(maxlen=kept)
        self.open = asyncio.Event()
        self.open.set()
        self.failures: list[Exception] = []
        self.producers: list[FakeProducer] = []

    def producer(self) -> Producer:
        self.producers.append(FakeProducer(self))
        return self.producers[-1]

    async def ping(self) -> None:
        if self.unavailable:
            raise Unavailable("nobody there")

    def values(self, topic: str) -> list[Any]:
        return [loads(value) for name, _, _, value in self.log if name == topic]


class FakeProducer:
    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self._pending: set[asyncio.Task[None]] = set()
        self.stopped = False

    async def start(self) -> None:
        if self._broker.unavailable:
            raise KafkaConnectionError("nobody there")

    async def stop(self) -> None:
        self.stopped = True
        if self._pending:
            await asyncio.wait(self._pending)

    async def abandon(self) -> None:
        """It has no connections."""

    async def partitions(self, topics: Sequence[str]) -> dict[str, int]:
        return {topic: PARTITIONS if topic in self._broker.topics else 0 for topic in topics}

    def create_batch(self) -> FakeBatch:
        return FakeBatch(self._broker.batch_limit)

    async def send_batch(self, batch: FakeBatch, topic: str, *, partition: int) -> asyncio.Future[None]:
        if self.stopped:
            raise ProducerClosed
        delivery: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._deliver(batch, topic, partition, delivery))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return delivery

    async def _deliver(self, batch: FakeBatch, topic: str, partition: int, delivery: asyncio.Future[None]) -> None:
        await self._broker.open.wait()
        if self._broker.slow_s:
            await asyncio.sleep(self._broker.slow_s)
        if self._broker.failures:
            delivery.set_exception(self._broker.failures.pop(0))
            return
        self._broker.log += [(topic, partition, key, value) for key, value in batch.records]
        delivery.set_result(None)


def seeder(users: int) -> httpx.MockTransport:
    """Answers ``GET /seeder/users`` with ids 1..users, page by page."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/healthz":
            return httpx.Response(200, json={"status": "ok"})
        limit, after = int(request.url.params["limit"]), int(request.url.params["after"])
        page = [{"user_id": i} for i in range(after + 1, min(after + limit, users) + 1)]
        more = bool(page) and page[-1]["user_id"] < users
        return httpx.Response(200, json={"users": page, "next": page[-1]["user_id"] if more else None, "total": users})

    return httpx.MockTransport(answer)
