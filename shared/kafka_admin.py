"""Topics and brokers of a Kafka cluster over the admin protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from shared.errors import DeadlineExceeded, TransientUpstreamError, UpstreamError
from shared.kafka import open_admin, unavailable

T = TypeVar("T")

#: codes of Kafka's protocol: what was asked for is the state already
_TOPIC_EXISTS, _UNKNOWN_TOPIC = 36, 3
#: codes of a passing state: no leader or controller yet, too few replicas in sync, brokers still registering
_PASSING = frozenset({5, 6, 7, 19, 38, 41})
#: source of a configuration entry that was set on the topic itself
_SET_ON_TOPIC = 1


@dataclass(frozen=True, slots=True)
class Cluster:
    id: str
    brokers: int


@dataclass(frozen=True, slots=True)
class Partition:
    """``leader`` is a broker's id, -1 without one; ``replicas`` and ``in_sync`` are numbers of brokers."""

    leader: int
    replicas: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """``on_topic``: set on the topic itself, not a default of the brokers."""

    value: str
    on_topic: bool


@dataclass(slots=True)
class _Connection:
    client: AIOKafkaAdminClient
    calls: int = 0


class KafkaAdmin:
    """One connection, opened at the first call and kept. After a failure the next call opens a new one.

    Every method has ``timeout`` to end and raises:
        Unavailable: no broker answers.
        DeadlineExceeded: no answer in time.
        TransientUpstreamError: the brokers refuse now (no controller or leader yet, too few brokers).
        UpstreamError: the brokers refuse. ``extra`` has their ``reason`` and ``error_code``.
    """

    def __init__(self, bootstrap: str, *, timeout: timedelta) -> None:
        self._bootstrap = bootstrap
        self._timeout = timeout
        self._connection: _Connection | None = None
        self._opening = asyncio.Lock()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.client.close()

    async def cluster(self) -> Cluster:
        described = await self._call(lambda client: client.describe_cluster())
        return Cluster(str(described.get("cluster_id") or ""), len(described["brokers"]))

    async def topics(self) -> set[str]:
        """Names of all topics."""
        return set(await self._call(lambda client: client.list_topics()))

    async def describe(self, topics: Collection[str] | None = None) -> dict[str, dict[int, Partition]]:
        """Partitions of each topic, of all topics without ``topics``; those that do not exist are left out."""
        if topics is not None and not topics:
            return {}
        names = None if topics is None else sorted(topics)
        described = await self._call(lambda client: client.describe_topics(names))
        return {
            topic["topic"]: {
                entry["partition"]: Partition(entry["leader"], len(entry["replicas"]), len(entry["isr"]))
                for entry in topic["partitions"]
            }
            for topic in described
            if not topic["error_code"]
        }

    async def configs(self, topics: Collection[str]) -> dict[str, dict[str, ConfigEntry]]:
        """By topic and key."""
        if not topics:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        return {
            name: {entry[0]: ConfigEntry(str(entry[1]), entry[3] == _SET_ON_TOPIC) for entry in entries}
            for response in await self._call(lambda client: client.describe_configs(resources))
            for _, _, _, name, entries in response.resources
        }

    async def create(
        self, topic: str, partitions: int, replicas: int, config: Mapping[str, str], *, exist_ok: bool = False
    ) -> None:
        """Returns before every broker has the topic in its metadata."""
        new = NewTopic(topic, partitions, replicas, topic_configs=dict(config))
        timeout_ms = self._milliseconds
        response = await self._call(lambda client: client.create_topics([new], timeout_ms=timeout_ms))
        for _, code, *rest in response.topic_errors:
            _check(code, f"topic {topic} cannot be created", rest, allowed=_TOPIC_EXISTS if exist_ok else 0)

    async def set_config(self, topic: str, config: Mapping[str, str]) -> None:
        """Sets ``config`` on top of what is set on the topic (the request replaces everything, so both are sent)."""
        entries = (await self.configs([topic])).get(topic, {})
        merged = {key: entry.value for key, entry in entries.items() if entry.on_topic} | dict(config)
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=merged)
        for response in await self._call(lambda client: client.alter_configs([resource])):
            for code, message, *_ in response.resources:
                _check(code, f"configuration of topic {topic} cannot be changed", [message])

    async def delete(self, topics: Collection[str], *, missing_ok: bool = False) -> None:
        """Returns before every broker has dropped the topics from its metadata."""
        names, timeout_ms = list(topics), self._milliseconds
        response = await self._call(lambda client: client.delete_topics(names, timeout_ms=timeout_ms))
        for topic, code, *_ in response.topic_error_codes:
            _check(code, f"topic {topic} cannot be deleted", [], allowed=_UNKNOWN_TOPIC if missing_ok else 0)

    @property
    def _milliseconds(self) -> int:
        return int(self._timeout.total_seconds() * 1000)

    async def _call(self, use: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                connection = await self._connect()
                connection.calls += 1
                return await use(connection.client)
        except TimeoutError as error:
            raise DeadlineExceeded(f"Kafka at {self._bootstrap} did not answer in time", service="kafka") from error
        except (KafkaError, OSError) as error:
            if connection is self._connection:
                self._connection = None
            raise unavailable(self._bootstrap, error) from error
        finally:
            if connection is not None:
                connection.calls -= 1
                # A connection that failed is closed by the last of the calls that share it.
                if not connection.calls and connection is not self._connection:
                    await connection.client.close()

    async def _connect(self) -> _Connection:
        async with self._opening:
            if self._connection is None:
                client = await open_admin(self._bootstrap, request_timeout_ms=self._milliseconds)
                self._connection = _Connection(client)
            return self._connection


def _check(code: int, failure: str, message: Sequence[Any], *, allowed: int = 0) -> None:
    """Raises for every code but 0 and ``allowed``."""
    if code in (0, allowed):
        return
    kind = TransientUpstreamError if code in _PASSING else UpstreamError
    reason = next((str(text) for text in message if text), for_code(code).__name__)
    raise kind(f"Kafka: {failure}: {reason}", service="kafka", error_code=code, reason=reason)
