"""ASSERT [NOT EXISTS] TOPIC: waits until a topic is as asserted."""

from __future__ import annotations

import asyncio
from typing import Final

from services.ksql.model.commands import AssertTopic
from services.ksql.model.schema import TopicInfo
from services.ksql.rest.descriptions import Entity, entity
from services.ksql.rest.errors import ASSERTION_FAILED, generic_error
from services.ksql.runtime.broker import Broker

#: without a TIMEOUT clause, as ksqlDB by default
_TIMEOUT_MS: Final = 1000
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


async def assert_topic(broker: Broker, text: str, command: AssertTopic) -> Entity:
    """The answer once the topic is as asserted. It is looked at once at least, and last when the time is over.

    Raises:
        RestError: it is not within the command's time (HTTP 417).
        BrokerError: the broker could not be asked.
    """
    clock = asyncio.get_running_loop().time
    timeout_ms = _TIMEOUT_MS if command.timeout_ms is None else command.timeout_ms
    deadline = clock() + timeout_ms / 1000
    pause = _SHORTEST_PAUSE_S
    while True:
        remaining = deadline - clock()
        failure = _failure(command, await broker.topic(command.name))
        if not failure:
            return entity("assert_topic", text, topicName=command.name, exists=command.exists)
        if remaining <= 0:
            raise generic_error(failure, ASSERTION_FAILED)
        await asyncio.sleep(min(pause, remaining))
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _failure(command: AssertTopic, found: TopicInfo | None) -> str:
    """The assertions that do not hold."""
    if not command.exists:
        return f"Topic {command.name} exists" if found is not None else ""
    if found is None:
        return f"Topic {command.name} does not exist"
    actual = {"PARTITIONS": str(found.partitions), "REPLICAS": str(found.replicas)}
    failures = []
    for name, expected in command.settings:
        if name.upper() not in actual:
            failures.append(f"Cannot assert unknown topic property: {name}")
        elif expected != actual[name.upper()]:
            failures.append(
                f"Mismatched configuration for topic {command.name}: For config {name.lower()}, "
                f"expected {expected} got {actual[name.upper()]}"
            )
    return "\n".join(failures)
