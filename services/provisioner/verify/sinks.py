"""The results as they are: in the sink topics, and in Pinot."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from services.provisioner.clients.kafka import KafkaClient
from services.provisioner.clients.pinot import PinotClient
from services.provisioner.decoding import KeyDecoder
from services.provisioner.recompute.columns import EnrichedColumns
from services.provisioner.recompute.rows import Identity, Row, Shape
from services.provisioner.recompute.users import Users
from services.provisioner.recompute.values import Event, read_user
from services.provisioner.verify.sources import STALL, Record
from shared.json import loads

#: rows of one answer of Pinot
_CHUNK = 50_000


class _Follower(ABC):
    """Reads a topic to its end, and later on from there."""

    def __init__(self, kafka: KafkaClient, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._positions: dict[int, int] = {}
        self.undecodable = 0

    async def catch_up(self) -> None:
        ends = (await self._kafka.end_offsets([self._topic])).get(self._topic, {})
        async for records in self._kafka.read(self._topic, self._positions, ends, STALL):
            await asyncio.to_thread(self._take_all, records)
        self._positions = dict(ends)

    def _take_all(self, records: list[Record]) -> None:
        for record in records:
            try:
                self._take(record)
            except (ValueError, KeyError, TypeError):
                self.undecodable += 1

    @abstractmethod
    def _take(self, record: Record) -> None:
        """Takes one record in. Raises ValueError, KeyError or TypeError if it is not of the sink's form."""


class WindowedSink(_Follower):
    """A windowed table's topic: the newest row of each key and window; a tombstone removes it."""

    def __init__(self, kafka: KafkaClient, topic: str, decoder: KeyDecoder) -> None:
        super().__init__(kafka, topic)
        self._decoder = decoder
        self._rows: dict[tuple[str, int, int], Row] = {}

    def _take(self, record: Record) -> None:
        key = self._decoder.decode(record.key)
        identity = (str(key.key), int(key.window_start or 0), int(key.window_end or 0))
        if record.value is None:
            self._rows.pop(identity, None)
        else:
            self._rows[identity] = loads(record.value)

    def rows(self) -> dict[Identity, Row]:
        return {(group, start): row for (group, start, _), row in self._rows.items()}


class UsersSink(_Follower):
    """The cleaned users' topic: the newest rows, and every version that it has."""

    def __init__(self, kafka: KafkaClient, topic: str, decoder: KeyDecoder) -> None:
        super().__init__(kafka, topic)
        self._decoder = decoder
        self.rows: dict[int, Row] = {}
        self.versions = Users()

    def _take(self, record: Record) -> None:
        user = int(self._decoder.decode(record.key).key or 0)
        self.versions.put(user, read_user(record.value), record.timestamp)
        if record.value is None:
            self.rows.pop(user, None)
        else:
            self.rows[user] = loads(record.value)


class EnrichedSink(_Follower):
    """The enriched views' topic, in columns; the event time is the record's timestamp."""

    def __init__(self, kafka: KafkaClient, topic: str, decoder: KeyDecoder, columns: EnrichedColumns) -> None:
        super().__init__(kafka, topic)
        self._decoder = decoder
        self.columns = columns

    def _take(self, record: Record) -> None:
        user, row = self._decoder.decode(record.key).key, loads(record.value or b"")
        event = Event(record.timestamp, None if user is None else int(user), row["SOURCE"])
        self.columns.add(event, row["AGE"], row["COUNTRY"], record.partition)


async def pinot_rows(pinot: PinotClient, table: str, shape: Shape) -> dict[Identity, Row]:
    """All rows of a table, asked for in stretches of time so that no answer grows without bound."""
    extent = (
        await pinot.query(
            f"SELECT COUNT(*) AS n, MIN(window_start) AS first, MAX(window_start) AS last FROM {table}"  # noqa: S608
        )
    )[0]
    if not extent["n"]:
        return {}
    names = [shape.dimension, "window_start", "window_end", shape.count, "user_count", "updated_at"]
    columns = ", ".join(names + ["average_age"] * shape.with_age)
    begin, last = int(extent["first"]), int(extent["last"])
    step = (last - begin) // (int(extent["n"]) // (_CHUNK // 2) + 1) + 1
    rows: dict[Identity, Row] = {}
    for start in range(begin, last + 1, step):
        found = await pinot.query(
            f"SELECT {columns} FROM {table} WHERE window_start >= {start} AND window_start < {start + step} "  # noqa: S608
            f"LIMIT {20 * _CHUNK}"
        )
        rows.update({(str(row[shape.dimension]), int(row["window_start"])): row for row in found})
    return rows


def without_stale_sessions(rows: dict[Identity, Row]) -> dict[Identity, Row]:
    """Pinot deletes nothing on a tombstone, so a session that was merged into an earlier one stays: it lies inside that one."""
    kept: dict[Identity, Row] = {}
    end_of: dict[str, int] = {}
    for identity in _earliest_and_longest_first(rows):
        group, _ = identity
        end = int(rows[identity]["window_end"])
        if end > end_of.get(group, -1):
            kept[identity] = rows[identity]
            end_of[group] = end
    return kept


def _earliest_and_longest_first(rows: dict[Identity, Row]) -> Iterable[Identity]:
    def order(identity: Identity) -> tuple[Any, ...]:
        return identity[0], identity[1], -int(rows[identity]["window_end"])

    return sorted(rows, key=order)
