"""The changelog: state and input offsets of every query, in one compacted topic.

The key of an entry is ``query id \\0 store \\0 key``. Offsets are entries of the store ``@offsets`` (key ``topic/partition``,
value 8 bytes), so that state and offsets can only move together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.ksql.runtime.broker import Broker, Lane, Outgoing, TopicInfo

_OFFSETS = "@offsets"

#: small segments and an eager cleaner: what was overwritten goes soon, so that a restart reads little
_CONFIG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": str(10 * 60 * 1000),
    "min.cleanable.dirty.ratio": "0.2",
    "delete.retention.ms": str(60 * 60 * 1000),
}


@dataclass(slots=True)
class StoredQuery:
    """What the changelog holds of one query: entries by (store, key), and the next offset of each input lane."""

    entries: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    offsets: dict[Lane, int] = field(default_factory=dict)


class StateLog:
    """Reads the topic at a start, and makes the entries that the committer writes."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._broker = broker
        self.topic = topic

    async def ensure(self) -> None:
        """Makes the topic if it is not there."""
        if await self._broker.topic(self.topic) is None:
            await self._broker.create_topic(TopicInfo(self.topic, 1, -1, _CONFIG))

    async def load(self) -> dict[str, StoredQuery]:
        """Everything committed, by query id. The writer must have been started: an open transaction would hide what follows."""
        stored: dict[str, StoredQuery] = {}
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
            if store == _OFFSETS.encode():
                topic, _, partition = key.decode().rpartition("/")
                query.offsets[Lane(topic, int(partition))] = int.from_bytes(value, "big")
            else:
                query.entries[store.decode(), key] = value
        return stored

    def entry(self, query_id: str, store: str, key: bytes, value: bytes | None) -> Outgoing:
        """One change of state; ``value`` None deletes."""
        return Outgoing(self.topic, 0, b"%b\0%b\0%b" % (query_id.encode(), store.encode(), key), value)

    def offsets(self, query_id: str, positions: Mapping[Lane, int]) -> Iterator[Outgoing]:
        """The entries of these input positions."""
        for lane, offset in positions.items():
            key = f"{lane.topic}/{lane.partition}".encode()
            yield self.entry(query_id, _OFFSETS, key, offset.to_bytes(8, "big"))

    def forget(self, query_id: str, stored: StoredQuery) -> Iterator[Outgoing]:
        """Tombstones for everything that is stored of a query that is gone."""
        for store, key in stored.entries:
            yield self.entry(query_id, store, key, None)
        for lane in stored.offsets:
            yield self.entry(query_id, _OFFSETS, f"{lane.topic}/{lane.partition}".encode(), None)
