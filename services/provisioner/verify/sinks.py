"""The results as they are: in the sink topics, and in Pinot."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from services.provisioner.clients.kafka import KafkaClient
from services.provisioner.clients.pinot import PinotClient
from services.provisioner.decoding import KeyDecoder
from services.provisioner.recompute.columns import EnrichedColumns
from services.provisioner.recompute.rows import Identity, Row, Shape
from services.provisioner.recompute.users import Users
from services.provisioner.recompute.values import Event, read_row, read_user
from services.provisioner.verify.sources import STALL, Record
from shared import dimension
from shared.json import loads
from shared.sessions import current_sessions

#: rows of one answer of Pinot
_CHUNK = 50_000
_LONG = 1 << 63
_USER_COLUMNS = ("age", "gender", "country", "subscription")
_ENRICHED_COLUMNS = ("SOURCE", "AGE", "COUNTRY")


class _Follower(ABC):
    """Reads a topic to its end, and later on from there."""

    def __init__(self, kafka: KafkaClient, topic: str) -> None:
        self._kafka = kafka
        self.topic = topic
        self._positions: dict[int, int] = {}
        self.undecodable = 0

    async def catch_up(self) -> None:
        ends = (await self._kafka.end_offsets([self.topic])).get(self.topic, {})
        async for records in self._kafka.read(self.topic, self._positions, ends, STALL):
            await asyncio.to_thread(self._take_all, records)
        self._positions = dict(ends)

    def _take_all(self, records: list[Record]) -> None:
        for record in records:
            try:
                self._take(record)
            except (ValueError, TypeError):
                self.undecodable += 1

    @abstractmethod
    def _take(self, record: Record) -> None:
        """Takes one record in, or nothing of it. Raises ValueError or TypeError if it is not of the sink's form."""


class WindowedSink(_Follower):
    """A windowed table's topic: the newest row of each key and window; a tombstone removes it."""

    def __init__(self, kafka: KafkaClient, topic: str, decoder: KeyDecoder, shape: Shape) -> None:
        super().__init__(kafka, topic)
        self._decoder = decoder
        self._columns = shape.columns
        self._rows: dict[tuple[str, int, int], Row] = {}

    def _take(self, record: Record) -> None:
        key = self._decoder.decode(record.key)
        identity = (str(key.key), int(key.window_start or 0), int(key.window_end or 0))
        if record.value is None:
            self._rows.pop(identity, None)
        else:
            row = _row(record.value, self._columns)
            _must_be_long(row["window_start"], row["window_end"])
            self._rows[identity] = row

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
        user = self._decoder.decode(record.key).key
        if not isinstance(user, int):
            raise TypeError("no key")
        version = read_user(record.value)
        row = None if record.value is None else _row(record.value, _USER_COLUMNS)
        self.versions.put(user, version, record.timestamp)
        if row is None:
            self.rows.pop(user, None)
        else:
            self.rows[user] = row


class EnrichedSink(_Follower):
    """The enriched views' topic, in columns; the event time is the record's timestamp."""

    def __init__(self, kafka: KafkaClient, topic: str, decoder: KeyDecoder, columns: EnrichedColumns) -> None:
        super().__init__(kafka, topic)
        self._decoder = decoder
        self.columns = columns

    def _take(self, record: Record) -> None:
        user, row = self._decoder.decode(record.key).key, _row(record.value or b"", _ENRICHED_COLUMNS)
        source, age, country = row["SOURCE"], row["AGE"], row["COUNTRY"]
        if not isinstance(source, str | None) or not isinstance(country, str):
            raise TypeError("no text")
        _must_be_long(age)
        # the views behind it are known by what they are counted as
        counted = None if source is None else dimension.apply(source)
        self.columns.add(
            Event(record.timestamp, None if user is None else int(user), counted), age, country, record.partition
        )


def _row(value: bytes, columns: Sequence[str]) -> Row:
    """Some columns of a JSON object. Raises ValueError or TypeError if it is none."""
    try:
        row = loads(value)
    except ValueError:  # ksqlDB can write half of a surrogate pair, which only the reader of the sources reads
        row = read_row(value)
    if not isinstance(row, dict):
        raise TypeError("no object")
    return {name: _plain(row.get(name)) for name in columns}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return dimension.as_java(value)
    return float(value) if isinstance(value, Decimal) else value


def _must_be_long(*numbers: Any) -> None:
    if any(type(number) is not int or not -_LONG <= number < _LONG for number in numbers):
        raise TypeError("no number")


async def pinot_rows(pinot: PinotClient, table: str, shape: Shape) -> dict[Identity, Row]:
    """All rows of a table, asked for in stretches of time so that no answer grows without bound, wherever in time the rows lie."""
    extent = (
        await pinot.query(
            f"SELECT COUNT(*) AS n, MIN(window_start) AS first, MAX(window_start) AS last FROM {table}"  # noqa: S608
        )
    )[0]
    if not extent["n"]:
        return {}
    columns = ", ".join(shape.columns)
    rows: dict[Identity, Row] = {}
    stretches = [(int(extent["first"]), int(extent["last"]) + 1, int(extent["n"]))]
    while stretches:
        begin, end, count = stretches.pop()
        if count > _CHUNK and end - begin > 1:
            middle = (begin + end) // 2
            for part in ((begin, middle), (middle, end)):
                counted = await pinot.query(f"SELECT COUNT(*) AS n FROM {table} WHERE {_within(*part)}")  # noqa: S608
                if n := int(counted[0]["n"]):
                    stretches.append((*part, n))
            continue
        # new rows may have come since they were counted
        found = await pinot.query(f"SELECT {columns} FROM {table} WHERE {_within(begin, end)} LIMIT {count + _CHUNK}")  # noqa: S608
        rows.update({(str(row[shape.dimension]), int(row["window_start"])): row for row in found})
    return rows


def _within(begin: int, end: int) -> str:
    return f"window_start >= {begin} AND window_start < {end}"


def without_superseded(rows: dict[Identity, Row]) -> dict[Identity, Row]:
    """The rows of a session table in Pinot that the engine has not deleted."""
    identities = list(rows)
    spans = ((group, start, int(rows[group, start]["window_end"])) for group, start in identities)
    return {identities[index]: rows[identities[index]] for index in current_sessions(spans)}
