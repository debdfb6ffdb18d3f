"""PRINT: the raw records of a topic as lines of text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

from services.ksql.engine.records import InputRecord
from services.ksql.errors import KsqlError
from services.ksql.model.plain import Print
from services.ksql.runtime.broker import FeedSource
from services.ksql.runtime.core import Core
from shared.json import loads

_POLL_MS = 200
_UNKNOWN = (
    "does not match any supported format. It may be a STRING with encoding other than UTF8, or some other format."
)


class PrintedTopic:
    """Lines of one topic. ``close`` must be called at the end."""

    def __init__(self, feed: FeedSource, partitions: tuple[int, ...], command: Print) -> None:
        self._feed = feed
        self._partitions = partitions
        self._every = command.interval or 1
        self._remaining = command.limit
        self._seen = 0

    async def take(self) -> str | None:
        """The next lines as soon as there are any; None after the last one of a LIMIT."""
        while self._remaining is None or self._remaining > 0:
            polled = await self._feed.poll(self._partitions, timeout_ms=_POLL_MS)
            lines = list(self._lines(record for chunk in polled.values() for record in chunk.records()))
            if lines:
                return "".join(lines)
        return None

    async def close(self) -> None:
        await self._feed.stop()

    def _lines(self, records: Iterator[InputRecord]) -> Iterator[str]:
        for record in records:
            if self._remaining is not None and self._remaining <= 0:
                return
            self._seen += 1
            if (self._seen - 1) % self._every:
                continue
            if self._seen == 1:
                yield f"Key format: {_guess(record.key)}\nValue format: {_guess(record.value)}\n"
            if self._remaining is not None:
                self._remaining -= 1
            time = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            yield (
                f"rowtime: {time:%Y/%m/%d %H:%M:%S}.{record.timestamp % 1000:03d} Z, key: {_show(record.key)}, "
                f"value: {_show(record.value)}, partition: {record.partition}\n"
            )


async def open_print(core: Core, command: Print) -> PrintedTopic:
    """Starts reading the topic.

    Raises:
        KsqlError: there is no such topic.
    """
    if await core.broker.topic(command.topic) is None:
        raise KsqlError(
            f"Could not find topic '{command.topic}', or the KSQL user does not have permissions to list it."
        )
    bounds = await core.broker.bounds(command.topic)
    positions = {p: b.start if command.from_beginning else b.end for p, b in bounds.items()}
    feed = core.broker.feed(command.topic, positions)
    await feed.start()
    return PrintedTopic(feed, tuple(positions), command)


async def lines(printed: PrintedTopic) -> AsyncIterator[str]:
    """All lines until the limit."""
    while (text := await printed.take()) is not None:
        yield text


def _guess(data: bytes | None) -> str:
    if data is None:
        return "¯\\_(ツ)_/¯ - no data processed"
    try:
        loads(data)
    except ValueError:
        return "KAFKA_STRING" if _is_text(data) else f" {_UNKNOWN}"
    return "JSON or KAFKA_STRING"


def _is_text(data: bytes) -> bool:
    try:
        return data.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _show(data: bytes | None) -> str:
    if data is None:
        return "<null>"
    if _is_text(data):
        return data.decode()
    return "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02X}" for b in data)
