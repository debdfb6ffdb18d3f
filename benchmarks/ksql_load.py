"""What the ksql benchmark puts into the source topics, and what must come out of it.

Views come by sessions of some ten views, users by Zipf's law. One view in a hundred is late: four of five of those by up
to five minutes (they must count), one of five by twenty (it must be dropped as late).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson
from aiokafka import AIOKafkaProducer

from services.generator.behaviour import PAGES
from shared import topics
from shared.events import Device, PageView, Source, UserSession
from shared.partitioner import partition_for

Record = tuple[bytes, bytes, int]

VIEWS_PER_SESSION: Final = 10
LATE: Final = 0.01
LATE_MS: Final = 5 * 60_000
TOO_LATE_MS: Final = 20 * 60_000
#: every so manieth user has a NULL, so that views of theirs are not enriched
UNCLEAN: Final = 50
_BATCH_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Shape:
    """How much, by whom, over how much event time, in which windows (milliseconds)."""

    name: str
    events: int
    users: int = 1_000
    minutes: int = 10
    window_ms: int = 60_000
    advance_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Load:
    """Records by topic in the order of sending, and the results that they must give."""

    records: dict[str, list[Record]]
    #: (source, window start) -> views, distinct users, of the tumbling windows
    tumbling: dict[tuple[str, int], tuple[int, int]]
    counted: int
    enriched: int
    #: False where a view that is too late for its window still lies within a session that goes on
    sessions_close: bool


def country_of(user: int) -> str:
    return f"Country{user % 40}"


def is_clean(user: int) -> bool:
    return user % UNCLEAN != 0


def users(count: int, at_ms: int) -> list[Record]:
    """Rows as Debezium's connector writes them: 4-byte keys."""
    made = []
    for user in range(1, count + 1):
        row = {
            "user_id": user,
            "age": 18 + user % 60,
            "gender": ("Male", "Female")[user % 2] if is_clean(user) else None,
            "country": country_of(user),
            "subscription": ("Free", "Silver", "Gold")[user % 3],
        }
        made.append((user.to_bytes(4, "big"), orjson.dumps(row), at_ms))
    return made


def make(shape: Shape, start_ms: int) -> Load:
    """Views and logins from ``start_ms`` on."""
    rng = np.random.default_rng(7)
    n = shape.events
    times = start_ms + np.sort(rng.integers(0, shape.minutes * 60_000, n))
    weights = 1.0 / np.arange(1, shape.users + 1)
    sessions = n // VIEWS_PER_SESSION + 1
    session_users = rng.permutation(shape.users)[rng.choice(shape.users, sessions, p=weights / weights.sum())] + 1
    # a view belongs to one of the hundred sessions that are open at its time
    session_of = np.minimum(np.arange(n) // VIEWS_PER_SESSION + rng.integers(0, 100, n), sessions - 1)
    sources = rng.integers(0, len(Source), n)
    late = (rng.random(n) < LATE) & (np.arange(n) > n // 50)
    too_late = late & (rng.random(n) < 0.2)
    times = np.where(too_late, times - TOO_LATE_MS, np.where(late, times - rng.integers(1, LATE_MS, n), times))
    pages = rng.choice(list(PAGES), n, p=list(PAGES.values())).tolist()
    names = [f"{a:08x}-{b:04x}-4{c:03x}-9{d:03x}-{e:012x}" for a, b, c, d, e in _random_ids(rng, sessions)]
    views: list[Record] = []
    logins: list[Record] = []
    counts: dict[tuple[str, int], int] = defaultdict(int)
    distinct: dict[tuple[str, int], set[int]] = defaultdict(set)
    enriched = 0
    opened = -1
    kinds, devices = list(Source), list(Device)
    for i, (t, s, k, page, lost) in enumerate(
        zip(times.tolist(), session_of.tolist(), sources.tolist(), pages, too_late.tolist(), strict=True)
    ):
        user = int(session_users[s])
        view = PageView(names[s], user, kinds[k], t, page)
        views.append((view.key(), view.value(), t))
        if s > opened and not late[i]:
            opened = s
            login = UserSession(names[s], user, f"user{user}", t, devices[s % len(devices)])
            logins.append((login.key(), login.value(), t))
        if not lost:
            window = kinds[k].value, t - t % shape.window_ms
            counts[window] += 1
            distinct[window].add(user)
            enriched += is_clean(user)
    return Load(
        {topics.PAGE_VIEW: views, topics.USER_SESSION: logins},
        {window: (count, len(distinct[window])) for window, count in counts.items()},
        counted=n - int(too_late.sum()),
        enriched=enriched,
        sessions_close=shape.minutes * 60_000 < TOO_LATE_MS,
    )


def _random_ids(rng: np.random.Generator, count: int) -> list[tuple[int, ...]]:
    columns = [rng.integers(0, 1 << bits, count).tolist() for bits in (32, 16, 12, 12, 48)]
    return list(zip(*columns, strict=True))


async def send(bootstrap: str, topic: str, records: list[Record]) -> None:
    """Sends in order, partition by partition, in large batches; all are acknowledged when it returns."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=_BATCH_BYTES)
    await producer.start()
    try:
        builders = [producer.create_batch() for _ in range(topics.PARTITIONS)]
        futures = []
        chosen: dict[bytes, int] = {}
        for key, value, timestamp in records:
            partition = chosen.get(key)
            if partition is None:
                partition = chosen[key] = partition_for(key, topics.PARTITIONS)
            if builders[partition].append(timestamp=timestamp, key=key, value=value) is None:
                futures.append(await producer.send_batch(builders[partition], topic, partition=partition))
                builders[partition] = producer.create_batch()
                builders[partition].append(timestamp=timestamp, key=key, value=value)
        for partition, builder in enumerate(builders):
            if builder.record_count():
                futures.append(await producer.send_batch(builder, topic, partition=partition))
        for future in futures:
            await future
    finally:
        await producer.stop()
