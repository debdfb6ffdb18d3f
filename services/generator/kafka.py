"""Kafka as the generator uses it: the protocols that tests implement, and the implementation over aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer

from services.generator.settings import Settings
from shared.aiokafka_internals import abandon
from shared.kafka import admin_client

#: a request without answer for this long is sent again (the idempotent producer keeps it from being written twice)
_REQUEST_TIMEOUT_MS: Final = 10_000
#: a ping must answer within the deadline of /readyz
_PROBE_TIMEOUT_MS: Final = 1_500


class Producer(Protocol):
    """The part of aiokafka's producer that is used: the seam for tests."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def create_batch(self) -> Any: ...
    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[Any]: ...
    async def partitions(self, topics: Sequence[str]) -> dict[str, int]:
        """Partitions per topic; 0 for a topic that does not exist."""

    async def abandon(self) -> None:
        """Ends at once, without its brokers."""


class Broker(Protocol):
    """Makes producers."""

    def producer(self) -> Producer: ...
    async def ping(self) -> None:
        """Raises ``Unavailable`` if no broker answers."""


class _KafkaProducer(AIOKafkaProducer):  # type: ignore[misc]
    async def partitions(self, topics: Sequence[str]) -> dict[str, int]:
        cluster = await self.client.fetch_all_metadata()
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}

    async def abandon(self) -> None:
        await abandon(self)


class Kafka:
    """The real ``Broker``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def producer(self) -> Producer:
        producer: Producer = _KafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            client_id="pagepulse-generator",
            acks="all",
            enable_idempotence=True,
            compression_type=self._settings.compression,
            max_batch_size=self._settings.batch_bytes,
            linger_ms=0,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        return producer

    async def ping(self) -> None:
        async with admin_client(self._settings.kafka_bootstrap, request_timeout_ms=_PROBE_TIMEOUT_MS):
            pass
