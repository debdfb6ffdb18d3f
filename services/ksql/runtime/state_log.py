"""The changelog: state and input offsets of every query, in one compacted topic.

The key of an entry is ``query id \\0 store \\0 key``. Positions are entries of the store ``@positions`` (the key is the topic, the
value 8 bytes for each partition from 0 on, -1 for those that are not read), so that state and positions can only move together.
Earlier versions wrote an entry of the store ``@offsets`` for each partition: those are read, and replaced at the start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.ksql.engine.records import OutputRecord
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.broker import Broker, TopicPartition

_POSITIONS = "@positions"
_OFFSETS = b"@offsets"

#: small segments and an eager cleaner: overwritten entries are deleted soon, so that a restart reads little
_CONFIG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": str(10 * 60 * 1000),
    "min.cleanable.dirty.ratio": "0.2",
    "delete.retention.ms": str(60 * 60 * 1000),
}


@dataclass(slots=True)
class StoredQuery:
    """What the changelog holds of one query: entries by (store, key), and the next offset of each input partition."""

    entries: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    #: partitions whose entry is one of an earlier version
    outdated: set[TopicPartition] = field(default_factory=set)


class StateLog:
    """Reads the topic at a start, and makes the entries that the committer writes."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._broker = broker
        self.topic = topic
        #: the positions that were written last: those that did not move are not written again
        self._written: dict[tuple[str, str], bytes] = {}

    async def ensure(self) -> None:
        """Makes the topic if it is not there."""
        if await self._broker.topic(self.topic) is None:
            await self._broker.create_topic(TopicInfo(self.topic, 1, -1, _CONFIG))

    async def load(self) -> dict[str, StoredQuery]:
        """Everything committed, by query id. The producer must have been started: an open transaction would hide the records after it."""
        stored: dict[str, StoredQuery] = {}
        self._written.clear()
        latest: dict[bytes, bytes | None] = {}
        async for records in self._broker.read_all(self.topic):
            for record in records:
                if record.key is not None:
                    latest[record.key] = record.value
        for raw, value in latest.items():
            if value is None:
                continue
            query_id, store, key = raw.split(b"\0", 2)
            query = stored.setdefault(query_id.decode(), StoredQuery())
            if store == _OFFSETS:
                topic, _, partition = key.decode().rpartition("/")
                tp = TopicPartition(topic, int(partition))
                query.offsets.setdefault(tp, int.from_bytes(value, "big"))
                query.outdated.add(tp)
            elif store == _POSITIONS.encode():
                query.offsets.update(_unpacked(key.decode(), value))
            else:
                query.entries[store.decode(), key] = value
        return stored

    def entry(self, query_id: str, store: str, key: bytes, value: bytes | None) -> OutputRecord:
        """One change of state; ``value`` None deletes."""
        raw = b"%b\0%b\0%b" % (query_id.encode(), store.encode(), key)
        return OutputRecord(self.topic, 0, raw, value, int(time.time() * 1000))

    def positions(self, query_id: str, positions: Mapping[TopicPartition, int]) -> Iterator[OutputRecord]:
        """The entries of these input positions, all of the query's. A transaction that fails must be followed by ``load``."""
        by_topic: dict[str, dict[int, int]] = {}
        for tp, position in positions.items():
            by_topic.setdefault(tp.topic, {})[tp.partition] = position
        for topic, own in by_topic.items():
            value = b"".join(own.get(p, -1).to_bytes(8, "big", signed=True) for p in range(max(own) + 1))
            if self._written.get((query_id, topic)) != value:
                self._written[query_id, topic] = value
                yield self.entry(query_id, _POSITIONS, topic.encode(), value)

    def renewed(self, query_id: str, stored: StoredQuery) -> Iterator[OutputRecord]:
        """The positions of an earlier version as they are written now."""
        if stored.outdated:
            yield from self.positions(query_id, stored.offsets)
            yield from self._without_outdated(query_id, stored)

    def tombstones(self, query_id: str, stored: StoredQuery) -> Iterator[OutputRecord]:
        """Tombstones for all entries of a terminated query."""
        for store, key in stored.entries:
            yield self.entry(query_id, store, key, None)
        for topic in {tp.topic for tp in stored.offsets}:
            self._written.pop((query_id, topic), None)
            yield self.entry(query_id, _POSITIONS, topic.encode(), None)
        yield from self._without_outdated(query_id, stored)

    def _without_outdated(self, query_id: str, stored: StoredQuery) -> Iterator[OutputRecord]:
        for tp in stored.outdated:
            yield self.entry(query_id, _OFFSETS.decode(), f"{tp.topic}/{tp.partition}".encode(), None)


def _unpacked(topic: str, value: bytes) -> dict[TopicPartition, int]:
    """The positions in the value of an entry."""
    offsets = (int.from_bytes(value[at : at + 8], "big", signed=True) for at in range(0, len(value), 8))
    return {TopicPartition(topic, partition): offset for partition, offset in enumerate(offsets) if offset >= 0}
