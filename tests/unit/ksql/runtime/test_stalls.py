"""A query that hangs, dies or loses a wake-up is reported and continues."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.ksql.engine.chunk import Chunk
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime import progress_watch, shared_consumers
from services.ksql.runtime.broker import TopicPartition
from services.ksql.runtime.progress_watch import ProgressWatch, Stalled
from services.ksql.runtime.query_task import PersistentTask, QueryState
from services.ksql.runtime.scheduler import Scheduler
from tests.patience import eventually
from tests.unit.ksql.memory_broker import MemoryBroker, MemoryConsumer
from tests.unit.ksql.rest.replay import Lab, lab

_QUERIES = """
CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');
CREATE STREAM copied WITH (KAFKA_TOPIC='copied', PARTITIONS=5) AS SELECT * FROM clicks EMIT CHANGES;
CREATE TABLE counts WITH (KAFKA_TOPIC='counts', PARTITIONS=5) AS SELECT k, COUNT(*) AS n FROM copied GROUP BY k EMIT CHANGES;
CREATE TABLE totals WITH (KAFKA_TOPIC='totals', PARTITIONS=5) AS SELECT k, COUNT(*) AS n FROM clicks GROUP BY k EMIT CHANGES;
"""
_TABLES = ("counts", "totals")
_FOREVER_S = 3_600.0


async def begin(server: Lab) -> None:
    await server.broker.create_topic(TopicInfo("clicks", 5, 1))
    await run(server, _QUERIES)


async def run(server: Lab, statements: str) -> None:
    body = {"ksql": statements, "streamsProperties": {"auto.offset.reset": "earliest"}}
    response = await server.client.post("/ksql", json=body)
    assert response.status_code == 200, response.text


def click(server: Lab, number: int, time_ms: int = 1_000) -> None:
    server.broker.produce("clicks", b"k%d" % (number % 7), b'{"n": 1}', time_ms + number)


def query(server: Lab, sink: str) -> PersistentTask:
    return next(q for q in server.core.query_manager.queries.values() if sink.upper() in q.id)


def counted(server: Lab, topic: str) -> int:
    newest = {r.key: r.value for r in server.broker.records(topic)}
    return sum(json.loads(value)["N"] for value in newest.values() if value is not None)


async def settled(server: Lab, clicks: int) -> None:
    await eventually(
        lambda: all(counted(server, topic) == clicks for topic in _TABLES),
        lambda: f"{clicks} clicks, but {[counted(server, topic) for topic in _TABLES]} are counted",
    )


class FaultyConsumer(MemoryConsumer):
    """A consumer with one fault, as long as it is the first of its topic."""

    fault = ""

    async def start(self) -> None:
        if self.fault == "does not open":
            await asyncio.sleep(_FOREVER_S)
        await super().start()

    async def stop(self) -> None:
        if self.fault == "does not close":
            await asyncio.sleep(_FOREVER_S)

    async def poll(self, partitions: Collection[int], *, timeout_ms: int) -> dict[int, Chunk]:
        if self.fault in ("fails", "does not close"):
            raise IndexError("unexpected")
        if self.fault == "brings nothing":
            await asyncio.sleep(0.001)
            return {}
        return await super().poll(partitions, timeout_ms=timeout_ms)

    def checked_ms(self, partition: int) -> int:
        return 5 if self.fault else super().checked_ms(partition)


class FaultyBroker(MemoryBroker):
    """The first consumer of every topic has the fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.opened: list[tuple[str, bool]] = []

    def consumer(self, topic: str, positions: Mapping[int, int], *, shared: bool = False) -> FaultyConsumer:
        consumer = FaultyConsumer(self, topic, positions)
        consumer.fault = "" if topic in [known for known, _ in self.opened] else self.fault
        self.opened.append((topic, shared))
        return consumer


@pytest.mark.parametrize(
    ("fault", "shares_again"),
    [("does not open", False), ("brings nothing", False), ("fails", True), ("does not close", True)],
)
async def test_a_consumer_that_hangs_or_dies_is_reported_and_opened_again(
    fault: str, shares_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_OPEN_S", "_CLOSE_S", "_RETRY_S", "_CHECK_S"):
        monkeypatch.setattr(shared_consumers, name, 0.01)
    broker = FaultyBroker(fault)
    await broker.create_topic(TopicInfo("clicks", 2, 1))
    broker.produce("clicks", b"a", b"{}", 1_000, partition=1)
    reader = Reader({TopicPartition("clicks", 0): 0, TopicPartition("clicks", 1): 0})
    consumers = shared_consumers.SharedConsumers(broker, lambda: None, shared=True)
    with capture_logs() as logs:
        try:
            consumers.subscribe(reader, reader.fetched)
            await eventually(lambda: reader.fetched[TopicPartition("clicks", 1)] == 1, "the record was delivered")
        finally:
            broker.fault = ""
            await consumers.aclose()
    assert broker.opened == [("clicks", True), ("clicks", shares_again)]
    assert [entry["topic"] for entry in logs if entry["event"] == "consumer failed, it will be opened again"] == [
        "clicks"
    ]


class Reader:
    """A subscriber that takes everything."""

    def __init__(self, fetched: dict[TopicPartition, int]) -> None:
        self.fetched = fetched

    def deliver(self, tp: TopicPartition, chunk: Chunk | None, *, position: int, end: int) -> None:
        self.fetched[tp] = position

    def mark_polled(self, tp: TopicPartition, checked_ms: int) -> bool:
        return False

    def wants(self, tp: TopicPartition, backlog: int) -> bool:
        return True


async def test_a_scheduler_that_sleeps_on_is_reported_and_the_session_restarts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_CHECK_S", "_REPORT_CHECKS", "_RESTART_CHECKS"):
        monkeypatch.setattr(progress_watch, name, {"_CHECK_S": 0.01, "_REPORT_CHECKS": 2, "_RESTART_CHECKS": 4}[name])
    runs = 0
    run_scheduler = Scheduler.run

    async def sleeps_at_first(self: Scheduler) -> None:
        nonlocal runs
        runs += 1
        await (asyncio.sleep(_FOREVER_S) if runs == 1 else run_scheduler(self))

    monkeypatch.setattr(Scheduler, "run", sleeps_at_first)
    with capture_logs() as logs:
        async with lab() as server:
            await begin(server)
            click(server, 1, int(time.time() * 1000))
            await settled(server, 1)
    reports = [entry for entry in logs if entry["event"] == "query makes no progress"]
    assert sorted(entry["query"] for entry in reports) == ["CSAS_COPIED_1", "CTAS_TOTALS_5"]
    assert any(entry["event"].startswith("session failed") for entry in logs)


class Task:
    """A query as the watch sees it."""

    def __init__(self, query_id: str, *upstream: Task) -> None:
        self.id = query_id
        self.state = QueryState.RUNNING
        self.positions = {TopicPartition("t", 0): 0}
        self.upstream = upstream
        self.has_input = True
        self.lag = 5
        self.obstacle: str | None = None


def looks(watch: ProgressWatch, count: int, between: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    with capture_logs() as logs:
        for _ in range(count):
            watch.check()
            between()
    return [dict(entry) for entry in logs]


def watched(*tasks: Any) -> ProgressWatch:
    queries: dict[str, PersistentTask] = {task.id: task for task in tasks}
    return ProgressWatch(queries, lambda: None)


def test_a_query_that_waits_for_brokers_is_reported_once_and_left_alone() -> None:
    task = Task("q")
    task.obstacle = "waits for records of t-0"
    watch = watched(task)
    logs = looks(watch, 1_000)
    assert [(entry["event"], entry["query"], entry["reason"]) for entry in logs] == [
        ("query makes no progress", "q", "waits for records of t-0")
    ]
    task.positions[TopicPartition("t", 0)] = 1
    assert [entry["event"] for entry in looks(watch, 1)] == ["query makes progress again"]


def test_slow_is_not_stalled() -> None:
    slow, idle, upstream = Task("slow"), Task("idle"), Task("upstream")
    behind = Task("behind", upstream)
    idle.has_input = False

    def progress() -> None:
        slow.positions[TopicPartition("t", 0)] += 1
        upstream.positions[TopicPartition("t", 0)] += 1

    assert looks(watched(slow, idle, upstream, behind), 1_000, progress) == []


def test_a_query_that_nothing_holds_up_ends_the_session() -> None:
    watch = watched(Task("q"))
    with pytest.raises(Stalled, match="q makes no progress"):
        looks(watch, 1_000)


async def test_a_query_behind_one_that_is_paused_goes_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else may have to happen: no record that arrives, no commit."""
    now = int(time.time() * 1000)
    async with lab() as server:
        for topic in ("users", "views"):
            await server.broker.create_topic(TopicInfo(topic, 1, 1))
        await run(
            server,
            "CREATE TABLE users (id VARCHAR PRIMARY KEY, name VARCHAR) WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON');"
            "CREATE STREAM views (id VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='views', VALUE_FORMAT='JSON');"
            "CREATE TABLE clean WITH (KAFKA_TOPIC='clean') AS SELECT id, name FROM users EMIT CHANGES;"
            "CREATE STREAM joined WITH (KAFKA_TOPIC='joined') AS"
            "  SELECT v.id AS id, v.n AS n, c.name AS name FROM views v LEFT JOIN clean c ON v.id = c.id EMIT CHANGES;",
        )
        manager = server.core.query_manager
        await server.quiet()
        clean, join = query(server, "clean"), query(server, "joined")
        # a user that is older than the view is known to be on its way
        tp = TopicPartition("users", 0)
        monkeypatch.setattr(manager.consumers, "wake", lambda: None)
        clean.deliver(tp, None, position=clean.fetched[tp], end=clean.fetched[tp] + 1)
        server.broker.produce("views", b"u", b'{"n": 1}', now - 5_000)
        views = TopicPartition("views", 0)
        await eventually(lambda: join.backlog([views]) == 1, "the view is here")
        assert not join.ready
        await run(server, f"PAUSE {clean.id};")
        await eventually(lambda: server.broker.records("joined"), "the view was joined")


async def test_what_is_shown_as_committed_is_committed() -> None:
    async with lab() as server:
        await begin(server)
        await server.quiet()
        go = server.broker.held["copied"] = asyncio.Event()
        click(server, 1)
        copied = query(server, "copied")
        await eventually(lambda: sum(copied.positions.values()) == 1 and not copied.dirty, "the transaction has begun")
        assert sum(copied.committed.values()) == await shown(server) == 0
        go.set()
        await settled(server, 1)
        await server.quiet()
        assert sum(copied.committed.values()) == await shown(server) == 1


async def shown(server: Lab) -> int:
    response = await server.client.post("/ksql", json={"ksql": "SHOW QUERIES EXTENDED;"})
    (copied,) = [q for q in response.json()[0]["queryDescriptions"] if q["id"] == "CSAS_COPIED_1"]
    return sum(offset["committedOffset"] for task in copied["tasksMetadata"] for offset in task["topicOffsets"])


@settings(max_examples=8)
@given(st.lists(st.sampled_from(["PAUSE ALL;", "RESUME ALL;", "click", "clicks", "yield", "lost commit"]), max_size=25))
def test_pauses_and_resumptions_in_any_order_lose_nothing(steps: list[str]) -> None:
    async def scenario() -> None:
        clicks, now = 0, int(time.time() * 1000)
        async with lab() as server:
            await begin(server)
            for step in steps:
                if step.endswith(";"):
                    response = await server.client.post("/ksql", json={"ksql": step})
                    assert response.status_code == 200, response.text
                elif step == "yield":
                    await asyncio.sleep(0.001)
                elif step == "lost commit":
                    server.broker.fail_next_write = "after"
                else:
                    for _ in range(1 if step == "click" else 40):
                        click(server, clicks := clicks + 1, now)
            server.broker.fail_next_write = None
            await run(server, "RESUME ALL;")
            await settled(server, clicks)

    asyncio.run(scenario())
