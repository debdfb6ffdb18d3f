"""The connections to Kafka: opened at the first use and kept; after a failure the next call opens new ones, so brokers may be away
at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")


class KafkaConnection:
    """An admin client, a consumer that looks offsets up, and consumers for reading, all with one deadline per call."""

    def __init__(self, bootstrap: str, *, timeout: timedelta, patience: timedelta, poll_interval: timedelta) -> None:
        self.bootstrap = bootstrap
        self._timeout = timeout
        self.patience = patience
        self.poll_interval = poll_interval
        self._admin: AIOKafkaAdminClient | None = None
        self._reader: AIOKafkaConsumer | None = None
        self._opening = asyncio.Lock()

    async def aclose(self) -> None:
        admin, self._admin = self._admin, None
        reader, self._reader = self._reader, None
        if admin is not None:
            await admin.close()
        if reader is not None:
            await reader.stop()

    @asynccontextmanager
    async def consumer(self, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer without a group that sees committed records only."""
        consumer = self._new_consumer(**options)
        try:
            await _start(consumer.start, consumer.stop)
        except KafkaError as error:
            raise self.away(error) from error
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def with_admin(self, use: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
        async with self.deadline("talk to Kafka"):
            try:
                return await use(await self._open())
            except (KafkaError, OSError) as error:
                await self.aclose()
                raise self.away(error) from error

    async def _open(self) -> AIOKafkaAdminClient:
        async with self._opening:
            if self._admin is None:
                admin = AIOKafkaAdminClient(
                    bootstrap_servers=self.bootstrap, request_timeout_ms=int(self._timeout.total_seconds() * 1000)
                )
                await _start(admin.start, admin.close)
                self._admin = admin
            return self._admin

    async def lookup(self) -> AIOKafkaConsumer:
        """A consumer that only looks offsets up; opening one for each look would cost a connection to every broker."""
        async with self._opening:
            if self._reader is None:
                reader = self._new_consumer()
                await _start(reader.start, reader.stop)
                self._reader = reader
            return self._reader

    def _new_consumer(self, **options: Any) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **options,
        )

    @asynccontextmanager
    async def deadline(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"Kafka at {self.bootstrap}: could not {what} in time", service="kafka") from error
        except KafkaError as error:
            await self.aclose()
            raise self.away(error) from error

    def away(self, error: Exception) -> Unavailable:
        reason = str(error) or type(error).__name__
        return Unavailable(f"Kafka at {self.bootstrap} cannot be reached: {reason}", service="kafka")


async def _start(start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
    """Starts a client; one that fails, or whose start is cancelled by a deadline, gives back what it has opened."""
    try:
        await start()
    except BaseException:
        await stop()
        raise
