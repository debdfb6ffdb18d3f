"""A join is aligned behind the query that makes its table: a backlog on both sides is joined with the rows of its time."""

from __future__ import annotations

import asyncio
import json
import time

from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.query_task import PersistentTask
from tests.patience import eventually
from tests.unit.ksql.rest.replay import Lab, is_processed, lab

_TABLE = """
CREATE TABLE users (id VARCHAR PRIMARY KEY, name VARCHAR) WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON');
CREATE STREAM views (id VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='views', VALUE_FORMAT='JSON');
CREATE TABLE clean WITH (KAFKA_TOPIC='clean') AS SELECT id, name FROM users WHERE name IS NOT NULL EMIT CHANGES;
"""
_JOIN = """
CREATE STREAM joined WITH (KAFKA_TOPIC='joined') AS
  SELECT v.id AS id, v.n AS n, c.name AS name FROM views v JOIN clean c ON v.id = c.id EMIT CHANGES;
"""
#: more than the engine takes in one slice
_OTHERS = 5_000


async def begin(server: Lab, statements: str = _TABLE + _JOIN) -> None:
    for topic in ("users", "views"):
        await server.broker.create_topic(TopicInfo(topic, 2, 1))
    await run(server, statements)


async def run(server: Lab, statements: str) -> None:
    body = {"ksql": statements, "streamsProperties": {"auto.offset.reset": "earliest"}}
    response = await server.client.post("/ksql", json=body)
    assert response.status_code == 200, response.text


async def begin_with_a_user(server: Lab, now: int) -> None:
    await begin(server)
    put(server, "users", "u", now - 9_000, name="before")
    await eventually(lambda: server.broker.records("clean"), "a user in clean")
    put(server, "views", "u", now - 8_500, n=1)
    assert await joined(server, 1) == {1: "before"}


def put(server: Lab, topic: str, key: str, time_ms: int, **row: object) -> None:
    server.broker.produce(topic, key.encode(), json.dumps(row).encode(), time_ms)


async def joined(server: Lab, count: int) -> dict[int, str]:
    await eventually(lambda: len(server.broker.records("joined")) >= count, f"{count} joined views")
    rows = [json.loads(record.value or b"") for record in server.broker.records("joined")]
    return {row["N"]: row["NAME"] for row in rows}


def query(server: Lab, sink: str) -> PersistentTask:
    return next(q for q in server.core.query_manager.queries.values() if sink.upper() in q.id)


async def test_a_backlog_of_both_is_joined_with_the_rows_of_its_time() -> None:
    now = int(time.time() * 1000)
    async with lab() as server:
        await begin_with_a_user(server, now)
        # All at once: the table's query needs many slices to get to the change, the join could have the view in its first.
        for number in range(_OTHERS):
            put(server, "users", f"other{number}", now - 7_000, name="x")
        put(server, "users", "u", now - 6_000, name="after")
        put(server, "views", "u", now - 3_000, n=2)
        assert await joined(server, 2) == {1: "before", 2: "after"}


async def test_a_paused_query_delays_no_other() -> None:
    now = int(time.time() * 1000)
    async with lab() as server:
        await begin_with_a_user(server, now)
        clean = query(server, "clean")
        answer = await server.client.post("/ksql", json={"ksql": f"PAUSE {clean.id};"})
        assert answer.status_code == 200, answer.text
        put(server, "users", "u", now - 6_000, name="after")
        put(server, "views", "u", now - 1_000, n=2)
        assert await joined(server, 2) == {1: "before", 2: "before"}


async def test_a_join_that_is_begun_while_its_table_is_being_written_waits_for_it() -> None:
    now = int(time.time() * 1000)
    async with lab() as server:
        await begin(server, _TABLE)
        clean = query(server, "clean")
        written = server.broker.held["clean"] = asyncio.Event()
        put(server, "views", "u", now - 5_000, n=1)
        put(server, "users", "u", now - 9_000, name="x")
        await eventually(lambda: is_processed(clean) and not clean.dirty, "the table's query has read everything")
        await run(server, _JOIN)
        join = query(server, "joined")
        await eventually(
            lambda: join.query.stats.consumed or (join.lag == 1 and join.ready is False and _is_read(join)),
            "the view is here and waits",
        )
        written.set()
        assert await joined(server, 1) == {1: "x"}


def _is_read(join: PersistentTask) -> bool:
    """Whether the view is here."""
    return join.backlog(tp for tp in join.progress if tp.topic == "views") == 1
