"""The source topics, against the events that the generator counts as acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from shared import topics
from shared.kafka import end_offsets
from tests.integration.recompute import Raw

EVENTS: Final = (topics.PAGE_VIEW, topics.USER_SESSION)
#: as many records that repeat, one after the other, the same earlier records are a batch that was stored twice; the
#: generator's own duplicates are alone
_RUN: Final = 3

Starts = dict[tuple[str, int], int]


async def starts(bootstrap: str) -> Starts:
    """Where a drill's records begin, by topic and partition."""
    return {(tp.topic, tp.partition): end for tp, end in (await end_offsets(bootstrap, EVENTS)).items()}


class Account(Protocol):
    """What the generator says of its events; ``sent`` is None where nobody knows."""

    @property
    def acknowledged(self) -> int: ...
    @property
    def sent(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Tally:
    """Events that were acknowledged and are not in the topics; events that are there more often than they were sent."""

    lost: int
    doubled: int


def tally(account: Account, others: int, starts: Starts, records: dict[str, list[Raw]]) -> Tally:
    """``records``: the topics whole, in order within each partition; ``others``: acknowledged events that are not the generator's."""
    written, repeated = 0, 0
    for topic in EVENTS:
        for partition, own in _by_partition(records[topic]).items():
            # by offset: the end of a transaction takes one too
            fresh = [record for record in own if record.offset >= starts.get((topic, partition), 0)]
            written += len(fresh)
            repeated += batches_twice(fresh)
    surplus = 0 if account.sent is None else max(0, written - account.sent - others)
    return Tally(lost=max(0, account.acknowledged + others - written), doubled=max(surplus, repeated))


def batches_twice(records: Sequence[Raw]) -> int:
    """Records of one partition that belong to a batch which was stored a second time."""
    places: dict[tuple[bytes | None, bytes | None, int], int] = {}
    doubled, run, expected = 0, 0, -1
    for place, record in enumerate(records):
        identity = (record.key, record.value, record.timestamp)
        before = places.get(identity)
        if before is None:
            run, expected = 0, -1
        else:
            run = run + 1 if before == expected else 1
            expected = before + 1
            doubled += _RUN if run == _RUN else run > _RUN
        places[identity] = place
    return doubled


def _by_partition(records: list[Raw]) -> dict[int, list[Raw]]:
    found: dict[int, list[Raw]] = {}
    for record in records:
        found.setdefault(record.partition, []).append(record)
    return found


def without_login(records: dict[str, list[Raw]]) -> int:
    """Sessions that have page views and no login: a generator that is killed may leave some, as the two are separate records."""
    return len({r.key for r in records[topics.PAGE_VIEW]} - {r.key for r in records[topics.USER_SESSION]})
