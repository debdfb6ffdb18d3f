"""The source topics, read into columns up to a snapshot of their ends, and then what came after it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeAlias

from aiokafka import ConsumerRecord

from services.provisioner.clients.kafka import KafkaClient
from services.provisioner.recompute.columns import EventColumns, Names, Spellings
from services.provisioner.recompute.streamtime import Arrivals
from services.provisioner.recompute.users import Users
from services.provisioner.recompute.values import Event, Unreadable, read_event, read_user
from services.provisioner.settings import Settings
from services.provisioner.verify.report import Rewritten
from shared import topics
from shared.durations import milliseconds
from shared.errors import Unprocessable

Record: TypeAlias = ConsumerRecord[bytes, bytes]

#: a broker that sends nothing for this long, while it has records, is in trouble
STALL = timedelta(seconds=20)


class Sources:
    """Page views, logins and users.

    ``later_views`` and ``later_logins`` are event times of records after the snapshot, ``later_users`` the ids; ``horizons`` the
    arrival before which a topic's retention has already deleted records. ``progress`` is called with the number of records read.
    """

    def __init__(self, kafka: KafkaClient, settings: Settings, slack_ms: int, progress: Callable[[int], None]) -> None:
        self._kafka = kafka
        self._limit = settings.verify_max_records
        ahead = settings.max_event_time_ahead
        self._most_ahead_ms = None if ahead is None else milliseconds(ahead)
        self._progress = progress
        self.views, self.logins, self.users = EventColumns(Names()), EventColumns(Names()), Users()
        self.view_arrivals, self.login_arrivals = Arrivals(slack_ms), Arrivals(slack_ms)
        self.page_arrivals = Arrivals(slack_ms)
        self.later_views: set[int] = set()
        self.later_logins: set[int] = set()
        self.later_users: set[int] = set()
        self.horizons: dict[str, int] = {}
        self.unreadable: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self._countries, self._country_spellings = Names(), Spellings()
        self._positions: dict[str, dict[int, int]] = {}
        self._snapshot_taken = False

    async def take_snapshot(self) -> None:
        """Reads everything up to the present ends.

        Raises:
            Unprocessable: more records than the setting allows in memory.
        """
        ends = await self._kafka.end_offsets(topics.SOURCE_TOPICS)
        for topic in topics.SOURCE_TOPICS:
            self._positions[topic] = await self._kafka.begin_offsets(topic)
        total = sum(end - self._positions[t].get(p, 0) for t, offsets in ends.items() for p, end in offsets.items())
        if total > self._limit:
            raise Unprocessable(
                f"{total} records to audit, the limit is {self._limit}: raise PAGEPULSE_VERIFY_MAX_RECORDS (about 40 bytes each)."
            )
        truncated = {topic: {p for p, begin in self._positions[topic].items() if begin} for topic in ends}
        for topic in topics.SOURCE_TOPICS:
            await self._read(topic, ends.get(topic, {}), truncated.get(topic, set()))
        self.view_arrivals.seal()
        self.page_arrivals.seal()
        self.login_arrivals.seal()
        self._snapshot_taken = True

    def rewritten(self) -> dict[str, Rewritten]:
        """By topic, where the rule for dimensions changed a text."""
        spellings = {
            topics.PAGE_VIEW: (self.views.spellings, self.views.page_spellings),
            topics.USER_SESSION: (self.logins.spellings,),
            topics.USERS: (self._country_spellings,),
        }
        return {
            topic: Rewritten(sum(one.changed for one in each), sum(one.merged for one in each))
            for topic, each in spellings.items()
            if any(one.changed for one in each)
        }

    async def follow(self) -> None:
        """Reads what has come since."""
        for topic, ends in (await self._kafka.end_offsets(topics.SOURCE_TOPICS)).items():
            await self._read(topic, ends, set())

    async def _read(self, topic: str, ends: Mapping[int, int], truncated: set[int]) -> None:
        positions = self._positions.setdefault(topic, {})
        async for records in self._kafka.read(topic, positions, ends, STALL):
            partition = records[0].partition
            if partition in truncated:
                truncated.discard(partition)
                self.horizons[topic] = max(self.horizons.get(topic, 0), records[0].timestamp)
            await asyncio.to_thread(self._take_all, topic, records)
            self.read[topic] += len(records)
            self._progress(sum(self.read.values()))
        positions.update(ends)

    def _take_all(self, topic: str, records: list[Record]) -> None:
        for record in records:
            self._take(topic, record)

    def _take(self, topic: str, record: Record) -> None:
        try:
            if topic == topics.USERS:
                self._take_user(record)
            elif topic == topics.PAGE_VIEW:
                event = read_event(record.value, "event_timestamp", "source", "page")
                self._take_event(event, record, self.views, self.view_arrivals, self.later_views)
            else:
                event = read_event(record.value, "login_timestamp", "device")
                self._take_event(event, record, self.logins, self.login_arrivals, self.later_logins)
        except Unreadable:
            self.unreadable[topic] += 1

    def _take_user(self, record: Record) -> None:
        if record.key is None or len(record.key) != 4:
            raise Unreadable("no INT key")
        user = int.from_bytes(record.key, "big", signed=True)
        version = read_user(record.value)
        self.users.put(user, version, record.timestamp)
        if version is not None:
            self._country_spellings.note(self._countries.number(version.country), version.country_written_as)
        if self._snapshot_taken:
            self.later_users.add(user)

    def _take_event(
        self, event: Event, record: Record, columns: EventColumns, arrivals: Arrivals, later: set[int]
    ) -> None:
        # The record's own timestamp is the clock, for the engine as well: it is the one that both can see, whenever they look.
        if self._most_ahead_ms is not None and event.time > record.timestamp + self._most_ahead_ms:
            raise Unreadable("its time is too far ahead of the clock")
        if self._snapshot_taken:
            later.add(event.time)
            return
        columns.add(event, record.timestamp, record.partition)
        # what has no name is counted nowhere, and does not move the stream time of those that have one
        if event.group is not None:
            arrivals.note(record.timestamp, event.time)
        if event.page is not None:
            self.page_arrivals.note(record.timestamp, event.time)
