"""Kafka's admin protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from services.provisioner.clients.coalescing import Coalescer
from services.provisioner.clients.kafka_reader import TopicReader
from services.provisioner.clients.polling import wait_until
from services.provisioner.errors import TransientUpstreamError
from shared.errors import UpstreamError

#: codes of Kafka's protocol that mean "as you wished already"
_TOPIC_EXISTS, _UNKNOWN_TOPIC = 36, 3

#: codes that pass: no leader or controller yet, too few replicas in sync, brokers still registering
_PASSING = frozenset({5, 6, 7, 19, 38, 41})

#: a configuration entry that was set on the topic itself
_SET_ON_TOPIC = 1


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the brokers have it; ``config`` holds only what was set on the topic itself."""

    name: str
    partitions: int
    replication_factor: int
    under_replicated: int
    config: dict[str, str] = field(default_factory=dict)


class KafkaClient(TopicReader):
    """Talks to one Kafka cluster."""

    def __init__(self, bootstrap: str, *, timeout: timedelta, patience: timedelta, poll_interval: timedelta) -> None:
        super().__init__(bootstrap, timeout=timeout, patience=patience, poll_interval=poll_interval)
        self._descriptions = Coalescer(self._describe)

    async def ping(self) -> None:
        """Raises Unavailable if no broker answers."""
        await self.with_admin(lambda admin: admin.describe_cluster())

    async def topics(self) -> set[str]:
        """Names of all topics."""
        return set(await self.with_admin(lambda admin: admin.list_topics()))

    async def describe(self, name: str) -> TopicState | None:
        """The topic, or None if there is none."""
        return await self._descriptions.get(name)

    async def _describe(self, names: set[str]) -> dict[str, TopicState]:
        described = await self.with_admin(lambda admin: admin.describe_topics(sorted(names)))
        partitions = {topic["topic"]: topic["partitions"] for topic in described if not topic["error_code"]}
        configs = await self._configs(sorted(partitions)) if partitions else {}
        return {
            name: TopicState(
                name=name,
                partitions=len(entries),
                replication_factor=min(len(entry["replicas"]) for entry in entries),
                under_replicated=sum(len(entry["isr"]) < len(entry["replicas"]) for entry in entries),
                config=configs.get(name, {}),
            )
            for name, entries in partitions.items()
            if entries
        }

    async def create(self, name: str, partitions: int, replication_factor: int, config: dict[str, str]) -> None:
        """Makes the topic and waits until it can be seen. One that exists is left as it is.

        Raises:
            TransientUpstreamError: too few brokers have joined yet, or a controller is being elected.
            UpstreamError: the brokers refuse.
        """
        topic = NewTopic(name, partitions, replication_factor, topic_configs=config)
        response = await self.with_admin(lambda admin: admin.create_topics([topic]))
        for _, code, *rest in response.topic_errors:
            _check(code, f"topic {name} cannot be made", rest, fine=_TOPIC_EXISTS)

        async def look() -> str | None:
            state = await self.describe(name)
            return None if state and state.partitions >= partitions else "it is not in the metadata yet"

        await wait_until(look, what=f"topic {name} is not there", within=self.patience, every=self.poll_interval)

    async def set_config(self, name: str, config: dict[str, str]) -> None:
        """Sets ``config`` on top of what is set on the topic (the request replaces everything, so both are sent)."""
        merged = {**(await self._configs([name])).get(name, {}), **config}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=merged)
        for response in await self.with_admin(lambda admin: admin.alter_configs([resource])):
            for code, message, *_ in response.resources:
                _check(code, f"settings of topic {name} cannot be changed", [message])

    async def delete(self, names: Iterable[str]) -> None:
        """Deletes topics and waits until they are gone; those that do not exist are fine."""
        wanted = sorted(set(names) & await self.topics())
        if not wanted:
            return
        response = await self.with_admin(lambda admin: admin.delete_topics(wanted))
        for topic, code in response.topic_error_codes:
            _check(code, f"topic {topic} cannot be deleted", [], fine=_UNKNOWN_TOPIC)

        async def look() -> str | None:
            left = sorted(set(wanted) & await self.topics())
            return f"{', '.join(left)} still listed" if left else None

        await wait_until(look, what="topics are not gone", within=self.patience, every=self.poll_interval)

    async def _configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """What is set on each topic itself."""
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found: dict[str, dict[str, str]] = {}
        for response in await self.with_admin(lambda admin: admin.describe_configs(resources)):
            for _, _, _, name, entries in response.resources:
                found[name] = {entry[0]: str(entry[1]) for entry in entries if entry[3] == _SET_ON_TOPIC}
        return found


def _check(code: int, what: str, message: Sequence[Any], *, fine: int = 0) -> None:
    """Raises for every code but success and ``fine``."""
    if code in (0, fine):
        return
    kind = TransientUpstreamError if code in _PASSING else UpstreamError
    reason = next((str(text) for text in message if text), for_code(code).__name__)
    raise kind(f"Kafka: {what}: {reason}", service="kafka", error_code=code)
