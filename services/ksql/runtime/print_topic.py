"""PRINT: the raw records of a topic as lines of text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from services.ksql.engine.records import InputRecord
from services.ksql.errors import RequestError
from services.ksql.functions.java_time import Moment, formatter
from services.ksql.functions.time_zones import offset_zone
from services.ksql.model.plain import Print
from services.ksql.runtime.broker import Consumer
from services.ksql.runtime.core import Core
from services.ksql.serde.guessed import GuessedFormat

_POLL_MS = 200
_TIME = formatter("yyyy/MM/dd HH:mm:ss.SSS z")


class PrintedTopic:
    """Lines of one topic. ``close`` must be called at the end."""

    def __init__(self, consumer: Consumer, partitions: tuple[int, ...], command: Print) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._every = command.interval or 1
        self._remaining = command.limit
        self._seen = 0
        self._keys, self._values = GuessedFormat(windowed=True), GuessedFormat(windowed=False)
        self._formats = ""

    async def take(self) -> str | None:
        """The next lines as soon as there are any; None after the last one of a LIMIT."""
        while self._remaining is None or self._remaining > 0:
            polled = await self._consumer.poll(self._partitions, timeout_ms=_POLL_MS)
            lines = self._lines(record for chunk in polled.values() for record in chunk.records())
            if lines:
                return "".join(lines)
        return None

    async def close(self) -> None:
        await self._consumer.stop()

    def _lines(self, records: Iterator[InputRecord]) -> list[str]:
        """The lines of what was fetched together, after the formats where these have changed."""
        lines = []
        for record in records:
            if self._remaining is not None and self._remaining <= 0:
                break
            self._seen += 1
            if (self._seen - 1) % self._every:
                continue
            if self._remaining is not None:
                self._remaining -= 1
            time = "N/A" if record.timestamp == -1 else _TIME.format(Moment.at_millis(record.timestamp, offset_zone(0)))
            lines.append(
                f"rowtime: {time}, key: {self._keys.show(record.key)}, value: {self._values.show(record.value)}, "
                f"partition: {record.partition}\n"
            )
        formats = f"Key format: {self._keys.names}\nValue format: {self._values.names}\n"
        if lines and formats != self._formats:
            self._formats = formats
            lines.insert(0, formats)
        return lines


async def open_print(core: Core, command: Print) -> PrintedTopic:
    """Starts reading the topic.

    Raises:
        RequestError: there is no such topic.
    """
    if await core.broker.topic(command.topic) is None:
        raise RequestError(
            f"Could not find topic '{command.topic}', or the KSQL user does not have permissions to list it."
        )
    bounds = await core.broker.bounds(command.topic)
    positions = {p: b.start if command.from_beginning else b.end for p, b in bounds.items()}
    consumer = core.broker.consumer(command.topic, positions)
    await consumer.start()
    return PrintedTopic(consumer, tuple(positions), command)


async def lines(printed: PrintedTopic) -> AsyncIterator[str]:
    """All lines until the limit."""
    while (text := await printed.take()) is not None:
        yield text
