"""Shares fetches: queries that stand at the same position of a topic read it through one consumer.

A query that starts elsewhere gets a feed of its own; partition by partition it is handed to the feed ahead of it as soon as
it has caught up. So a topic that four queries read is fetched once, and each query still starts where it must.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from services.ksql.engine.chunk import Chunk
from services.ksql.runtime.broker import Broker, BrokerError, FeedSource, Lane
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

#: a subscriber with more records of a lane than this gets no more of it, unless it waits for it
_BACKLOG = 20_000
#: how long a poll waits for records: short while the end of a lane is not known yet
_IDLE_POLL_MS, _SEEKING_POLL_MS = 100, 10
#: after a poll that brought little, so that a trickle of events is fetched some 60 times a second, not once per event
_PAUSE_S = 0.015
_LITTLE = 100
_RETRY_S = 1.0


class Subscriber(Protocol):
    """Who reads lanes: a running query."""

    #: the next offset of each lane that it has not been given
    fetched: dict[Lane, int]

    def deliver(self, lane: Lane, chunk: Chunk | None, *, position: int, end: int) -> None:
        """The next records, if any; ``position`` is the offset after them, ``end`` the end of what can be read."""

    def confirm(self, lane: Lane, checked_ms: int) -> bool:
        """The lane was looked at; True if something here has waited for that."""

    def wants(self, lane: Lane, backlog: int) -> bool:
        """Whether it has room (less than ``backlog`` records of the lane), or stands still for want of them."""


@dataclass(slots=True)
class _FeedLane:
    position: int
    end: int = -1
    subscribers: list[Subscriber] = field(default_factory=list)


class TopicFeed:
    """One consumer of some partitions of a topic, with the subscribers of each."""

    def __init__(self, feeds: Feeds, topic: str, positions: Mapping[int, int], subscriber: Subscriber) -> None:
        self._feeds = feeds
        self.topic = topic
        self.lanes = {p: _FeedLane(position, subscribers=[subscriber]) for p, position in positions.items()}
        self._source: FeedSource | None = None

    async def run(self) -> None:
        """Polls until it has no lanes left; a broker that fails is tried again from the same positions."""
        while self.lanes:
            positions = {p: lane.position for p, lane in self.lanes.items()}
            source = self._feeds.broker.feed(self.topic, positions, shared=self._feeds.shared)
            try:
                await source.start()
                self._source = source
                await self._poll(source)
            except BrokerError as error:
                _log.warning("feed failed, it will be opened again", topic=self.topic, error=str(error))
                await asyncio.sleep(_RETRY_S)
            finally:
                self._source = None
                await source.stop()

    def expect(self, name: Lane, end: int) -> None:
        """Tells the subscribers of a lane that it goes on at least to ``end``; what all of them have already is not fetched."""
        lane = self.lanes.get(name.partition) if name.topic == self.topic else None
        if lane is None or end <= lane.end:
            return
        lane.end = end
        if self._source is not None and all(subscriber.fetched[name] >= end for subscriber in lane.subscribers):
            self._source.skip(name.partition, end)
            lane.position = end
        for subscriber in lane.subscribers:
            subscriber.deliver(name, None, position=lane.position, end=end)

    async def _poll(self, source: FeedSource) -> None:
        while self.lanes:
            wanted = [p for p, lane in self.lanes.items() if self._is_wanted(p, lane)]
            if not wanted:
                await asyncio.sleep(_PAUSE_S)
                continue
            settled = all(lane.position >= lane.end >= 0 for lane in self.lanes.values())
            polled = await source.poll(wanted, timeout_ms=_IDLE_POLL_MS if settled else _SEEKING_POLL_MS)
            count = 0
            for partition in list(self.lanes):
                chunk = polled.get(partition)
                count += len(chunk) if chunk is not None else 0
                self._advance(partition, chunk, source)
            await asyncio.sleep(_PAUSE_S if count < _LITTLE and settled else 0)

    def _is_wanted(self, partition: int, lane: _FeedLane) -> bool:
        name = Lane(self.topic, partition)
        return any(s.wants(name, 0) for s in lane.subscribers) or all(s.wants(name, _BACKLOG) for s in lane.subscribers)

    def _advance(self, partition: int, chunk: Chunk | None, source: FeedSource) -> None:
        lane = self.lanes[partition]
        position = source.position(partition)
        end = max(source.end(partition), self._feeds.expected.get(Lane(self.topic, partition), -1))
        ahead = self._feeds.ahead_of(self, partition)
        if ahead is not None and position >= ahead.position:
            chunk = chunk.between(0, ahead.position) if chunk is not None else None
            position, end = ahead.position, max(end, ahead.end)
            ahead.subscribers.extend(lane.subscribers)
            del self.lanes[partition]
        name = Lane(self.topic, partition)
        if chunk is None and (position, end) == (lane.position, lane.end):
            waited = [s.confirm(name, source.checked_ms(partition)) for s in lane.subscribers]
            if True in waited:
                self._feeds.wake()
            return
        lane.position, lane.end = position, end
        for subscriber in lane.subscribers:
            subscriber.deliver(name, chunk, position=position, end=end)
        self._feeds.wake()


class Feeds:
    """All feeds of the engine, or of one push query. ``shared``: they may share a consumer."""

    def __init__(self, broker: Broker, wake: Callable[[], None], *, shared: bool = False) -> None:
        self.broker = broker
        self.shared = shared
        self.wake = wake
        self.expected: dict[Lane, int] = {}
        self._feeds: list[TopicFeed] = []
        self._tasks = TaskSet()

    def __len__(self) -> int:
        return len(self._feeds)

    def subscribe(self, subscriber: Subscriber, positions: Mapping[Lane, int]) -> None:
        """Delivers from ``positions`` on. Lanes at which a feed stands already join it."""
        alone: dict[str, dict[int, int]] = {}
        for lane, position in positions.items():
            for feed in self._feeds:
                shared = feed.lanes.get(lane.partition) if feed.topic == lane.topic else None
                if shared is not None and shared.position == position:
                    shared.subscribers.append(subscriber)
                    subscriber.deliver(lane, None, position=position, end=shared.end)
                    break
            else:
                if not any(feed.topic == lane.topic and lane.partition in feed.lanes for feed in self._feeds):
                    # Nobody reads it: what was expected may be of a topic of this name that was deleted since, with more in it.
                    self.expected.pop(lane, None)
                alone.setdefault(lane.topic, {})[lane.partition] = position
        for topic, own in alone.items():
            feed = TopicFeed(self, topic, own, subscriber)
            self._feeds.append(feed)
            self._tasks.start(self._run(feed), f"feed of {topic}")

    def expect(self, ends: Mapping[Lane, int]) -> None:
        """What a transaction of our own is about to make readable. A lane counts as at its end only beyond that.

        Its partitions become readable one after the other. A query that reads them must not take the one that comes first
        for all there is, or the others come too late for its windows.
        """
        for lane, end in ends.items():
            if any(feed.topic == lane.topic for feed in self._feeds):
                self.expected[lane] = end
                for feed in self._feeds:
                    feed.expect(lane, end)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Delivers nothing more to it; feeds without subscribers end."""
        for feed in self._feeds:
            for partition, lane in list(feed.lanes.items()):
                lane.subscribers[:] = [s for s in lane.subscribers if s is not subscriber]
                if not lane.subscribers:
                    del feed.lanes[partition]

    def ahead_of(self, feed: TopicFeed, partition: int) -> _FeedLane | None:
        """The lane of another feed that is nearest ahead of ``feed`` there, or level with it."""
        own = feed.lanes[partition]
        others: Iterable[_FeedLane] = (
            lane
            for other in self._feeds
            if other is not feed and other.topic == feed.topic
            for p, lane in other.lanes.items()
            if p == partition and lane.position >= own.position
        )
        return min(others, key=lambda lane: lane.position, default=None)

    async def aclose(self) -> None:
        await self._tasks.aclose()
        self._feeds.clear()

    async def _run(self, feed: TopicFeed) -> None:
        try:
            await feed.run()
        finally:
            self._feeds = [f for f in self._feeds if f is not feed]
