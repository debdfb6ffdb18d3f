"""The records of the source topics and of the join, read independently of the engine and of the provisioner."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.integration.recompute import Event, Raw, parse_events

#: ms; an event further ahead of the clock is dropped, as its windows would make everything else late
#: (``max_event_time_ahead`` of the engine's settings)
AHEAD_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event and the timestamp of its record (ms): the clock at the producer when it was sent."""

    event: Event
    arrival: int


@dataclass(frozen=True, slots=True)
class Enriched:
    """A view as the join gives it."""

    user_id: int
    time: int
    source: str
    age: int
    country: str


def arrivals(records: Iterable[Raw], time_field: str, group_field: str) -> Iterator[Arrived]:
    """The events that can be read and are not too far ahead."""
    for record in records:
        for event in parse_events((record,), time_field, group_field):
            if event.time <= record.timestamp + AHEAD_MS:
                yield Arrived(event, record.timestamp)


def enriched_views(records: Iterable[Raw]) -> Iterator[Enriched]:
    """The joined topic: keyed by user (4 bytes), the event time as timestamp."""
    for record in records:
        row = json.loads(record.value or b"")
        user = int.from_bytes(record.key or b"", "big", signed=True)
        yield Enriched(user, record.timestamp, row["SOURCE"], row["AGE"], row["COUNTRY"])
