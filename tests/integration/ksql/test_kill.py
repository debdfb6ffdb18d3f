"""kill -9 at random moments, again and again, under load: the final tables are those of an undisturbed run."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.drill import bound
from tests.integration.ksql.harness import KsqlServer, latest, producing, read_all, send_all
from tests.integration.ksql.test_golden import statements
from tests.integration.recompute import MINUTE, Raw, expected_tables

pytestmark = [pytest.mark.stack, pytest.mark.timeout(bound(1_800, 7_200))]

_KILLS = int(os.environ.get("PAGEPULSE_KILLS", bound(4, 100)))
#: every run makes the same events; `make drill` makes new ones
_SEED = int(os.environ.get("PAGEPULSE_SEED", bound(1, time.time_ns() % 1_000_000)))
_BATCH = 40
#: event time runs up to a hundred times faster than the clock until it has caught up with it: Kafka refuses records of the future
_HISTORY = bound(6, 16) * 60 * MINUTE
#: that is more than Kafka keeps of the results' topics by default
_RETENTION = "RETENTION 2 DAYS, "
_SINKS = {
    "topic5_PageView_Country": ("pageview_country", 8),
    "topic6_PageView_Tumbling": ("pageview_tumbling", 8),
    "topic7_PageView_Hopping": ("pageview_hopping", 8),
    "topic8_PageView_Session": ("pageview_session", 16),
    "topic9_UserSession_Device": ("usersession_device", 8),
}

Record = tuple[bytes | None, bytes | None, int]


def users(now: int) -> list[Record]:
    """200 users, every tenth with a null."""
    made: list[Record] = []
    for user in range(1, 201):
        row: dict[str, Any] = {
            "age": 18 + user % 50,
            "gender": "Male",
            "country": f"Land{user % 7}",
            "subscription": "Gold",
        }
        if user % 10 == 0:
            row["gender"] = None
        made.append((user.to_bytes(4, "big"), json.dumps({"user_id": user, **row}).encode(), now))
    return made


def views(rng: random.Random, start: int) -> Iterator[list[tuple[str, Record]]]:
    """Batches of views and logins: event time runs faster than the clock, 5 % come up to a minute late, sources pause."""
    event_time = float(start)
    number = 0
    while True:
        batch: list[tuple[str, Record]] = []
        for _ in range(_BATCH):
            event_time = min(event_time + rng.expovariate(1 / 250), time.time() * 1000)
            number += 1
            at = int(event_time) - (rng.randrange(60_000) if rng.random() < 0.05 else 0)
            session = f"s{number % 97}"
            source = rng.choice([s for i, s in enumerate(("Homepage", "Inbox", "External")) if (at // 45_000 + i) % 3])
            view = {"session_id": session, "user_id": rng.randint(1, 220), "source": source, "event_timestamp": at}
            batch.append(("topic1_PageView", (session.encode(), json.dumps(view).encode(), at)))
            if number % 10 == 0:
                device = rng.choice(("Mobile", "Desktop"))
                login = {"user_id": rng.randint(1, 220), "user_name": "n", "login_timestamp": at, "device": device}
                batch.append(("topic2_UserSession", (session.encode(), json.dumps(login).encode(), at)))
        yield batch


async def test_final_tables_survive_kills_at_any_moment(bootstrap: str) -> None:
    rng = random.Random(_SEED)
    server = KsqlServer(bootstrap)
    now = int(time.time() * 1000)
    start = now - _HISTORY
    try:
        for topic in ("topic1_PageView", "topic2_UserSession", "topic3_Users"):
            await server.create_topic(topic, 5)
        async with producing(bootstrap) as producer:
            await send_all(producer, server.prefix + "topic3_Users", 5, users(start - MINUTE))
            await server.start()
            for statement in statements(server.prefix):
                await server.ksql(statement.replace("GRACE PERIOD 2 MINUTES", f"{_RETENTION}GRACE PERIOD 10 MINUTES"))
            await server.quiet()

            done = asyncio.Event()

            async def load() -> None:
                for batch in views(rng, start):
                    for topic in ("topic1_PageView", "topic2_UserSession"):
                        await send_all(producer, server.prefix + topic, 5, [r for t, r in batch if t == topic])
                    await asyncio.sleep(0.1)
                    if done.is_set():
                        return

            loading = asyncio.create_task(load())
            for _ in range(_KILLS):
                await asyncio.sleep(rng.uniform(0.0, 1.5))  # the moment of the kill, not a wait
                assert not loading.done(), "records are sent all the time, so that each kill cuts off work"
                await server.kill()
                await server.start()
            done.set()
            await loading
        await server.quiet()
        await compare(server)
    except BaseException:
        print(f"seed {_SEED}")
        raise
    finally:
        await server.stop()
        await server.client.aclose()
        await server.clean_up()


async def compare(server: KsqlServer) -> None:
    """Every sink against the recomputation from the raw topics."""
    raw = {}
    for topic in ("topic1_PageView", "topic2_UserSession", "topic3_Users"):
        records = await read_all(server.bootstrap, server.prefix + topic)
        raw[topic] = [Raw(r.key, r.value, r.timestamp, r.partition) for r in records]
    expected = expected_tables(raw["topic1_PageView"], raw["topic2_UserSession"], raw["topic3_Users"])
    print({topic: len(records) for topic, records in raw.items()}, {t: len(rows) for t, rows in expected.items()})
    for topic, (table, tail) in _SINKS.items():
        rows = latest(await read_all(server.bootstrap, server.prefix + topic))
        got: dict[Any, Any] = {
            (key[:-tail].decode(), int.from_bytes(key[-8:], "big")): json.loads(value) for key, value in rows.items()
        }
        assert len(got) == len(rows)
        wanted = expected[table]
        assert got.keys() == wanted.keys(), f"{table}: {list(got.keys() ^ wanted.keys())[:5]}"
        for key, row in wanted.items():
            assert got[key] == pytest.approx(row) if table == "pageview_country" else got[key] == row, f"{table} {key}"
