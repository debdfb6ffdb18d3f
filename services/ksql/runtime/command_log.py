"""The command log: the statements that changed something, in a Kafka topic of one partition that is kept for ever and read at each start.

As in ksqlDB every command is a transaction of its own, so its sequence number (its offset) grows by two with each command,
and a query's number is the offset that follows the previous command: CTAS_PAGEVIEW_TUMBLING_11 has the sequence number 12.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from services.ksql.engine.records import OutputRecord
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.broker import Broker, BrokerError, Producer, TopicPartition
from shared.json import dumps, loads

_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1"}


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One statement that changed something. ``id`` is ksqlDB's command id (``table/`X`/create``); ``query_id`` is set where
    it starts a query; ``properties`` are the streams properties that came with it."""

    id: str
    statement: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    query_id: str | None = None
    sequence: int = -1


class CommandLog:
    """Appends and reads commands. One producer: a second server with the same service id fences the first."""

    def __init__(self, broker: Broker, topic: str, transactional_id: str) -> None:
        self._broker = broker
        self._transactional_id = transactional_id
        self._producer: Producer | None = None
        self.topic = topic
        self.last_sequence = -1

    @property
    def next_query_number(self) -> int:
        """The number that the next query's id ends with."""
        return self.last_sequence + 1

    async def open(self) -> list[CommandRecord]:
        """Makes the topic if need be, takes it over, and gives all commands so far."""
        if await self._broker.topic(self.topic) is None:
            await self._broker.create_topic(TopicInfo(self.topic, 1, -1, _CONFIG))
        self._producer = await self._take_over()
        commands = [
            CommandRecord(**{**loads(record.value), "sequence": record.offset})
            async for records in self._broker.read_all(self.topic)
            for record in records
            if record.value is not None
        ]
        if commands:
            self.last_sequence = commands[-1].sequence
        return commands

    async def append(self, command: CommandRecord) -> CommandRecord:
        """Writes ``command``; it is durable when this returns it with its sequence number.

        Raises:
            BrokerError: it was not written, as far as is known.
        """
        producer, self._producer = self._producer or await self._take_over(), None
        content = {k: v for k, v in asdict(command).items() if k != "sequence"}
        try:
            now_ms = int(time.time() * 1000)
            spans = await producer.write([OutputRecord(self.topic, 0, command.id.encode(), dumps(content), now_ms)])
        except BrokerError:
            await producer.stop()
            return await self._find_out(content)
        self._producer = producer
        self.last_sequence = spans[TopicPartition(self.topic, 0)].first
        return CommandRecord(**{**content, "sequence": self.last_sequence})

    async def _find_out(self, content: Mapping[str, Any]) -> CommandRecord:
        """After a failed write: a new producer completes or aborts the transaction, then the log is read."""
        before = self.last_sequence
        commands = await self.open()
        if commands and commands[-1].sequence > before and commands[-1].statement == content["statement"]:
            return commands[-1]
        raise BrokerError("the command could not be written to the command log")

    async def _take_over(self) -> Producer:
        producer = self._broker.producer(self._transactional_id)
        await producer.start()
        return producer

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
