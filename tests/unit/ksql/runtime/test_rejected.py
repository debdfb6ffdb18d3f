"""Records that no query can read are written to their topic once, and never in the way of the queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.ksql.engine.records import InputRecord
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime import rejected
from services.ksql.runtime.rejected import MOST_VALUE, MOST_WAITING, RejectedRecords
from tests.patience import eventually
from tests.unit.ksql.memory_broker import MemoryBroker
from tests.unit.ksql.rest.replay import lab

TOPIC = "topic0_Rejected"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected, "_GATHER_S", 0.0)
    monkeypatch.setattr(rejected, "_RETRY_S", 0.0)


@pytest.fixture
async def broker() -> MemoryBroker:
    made = MemoryBroker()
    await made.create_topic(TopicInfo(TOPIC, 1, 1, {}))
    return made


@asynccontextmanager
async def running(broker: MemoryBroker) -> AsyncIterator[RejectedRecords]:
    kept = RejectedRecords(broker, TOPIC, "engine-rejected")
    task = asyncio.create_task(kept.run())
    try:
        yield kept
    finally:
        task.cancel()
        await asyncio.wait([task])


def record(offset: int, *, partition: int = 0, timestamp: int | None = None, value: bytes = b"\xff{") -> InputRecord:
    return InputRecord("views", partition, offset, offset if timestamp is None else timestamp, b"k", value)


async def written(broker: MemoryBroker) -> list[tuple[bytes | None, dict[str, str]]]:
    return [
        (r.value, {name: (text or b"").decode() for name, text in r.headers})
        async for records in broker.read_all(TOPIC)
        for r in records
    ]


async def offsets(broker: MemoryBroker) -> list[tuple[int, int]]:
    return [(int(h["partition"]), int(h["offset"])) for _, h in await written(broker)]


async def test_a_record_that_several_queries_drop_is_written_once_as_it_came(broker: MemoryBroker) -> None:
    async with running(broker) as kept:
        for _query in range(5):
            kept.note(record(3), "malformed")
            kept.note(record(7, value=b"x" * (MOST_VALUE + 1)), "event_time_ahead")
            kept.note(record(3, partition=1), "no_event_time")
        await eventually(lambda: kept.written == 3, "three are written")
    (first, second, _) = await written(broker)
    assert first[0] == b"\xff{"
    assert first[1] == {
        "reason": "views: it cannot be read as the source's format and columns",
        "field": "malformed",
        "received_at": "3",
        "topic": "views",
        "partition": "0",
        "offset": "3",
    }
    assert (len(second[0] or b""), second[1]["truncated"]) == (MOST_VALUE, "true")


async def test_after_a_kill_what_is_read_again_is_not_written_again(broker: MemoryBroker) -> None:
    async with running(broker) as kept:
        for offset in (1, 2):
            kept.note(record(offset), "malformed")
        await eventually(lambda: kept.written == 2, "two are written")
    async with running(broker) as kept:
        for offset in (1, 2, 3):
            kept.note(record(offset), "malformed")
        await eventually(lambda: kept.written == 1, "the new one is written")
        kept.note(record(2), "malformed")
        kept.note(record(4), "malformed")
        await eventually(lambda: kept.written == 2, "and the next")
    assert await offsets(broker) == [(0, 1), (0, 2), (0, 3), (0, 4)]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_write_of_unknown_outcome_neither_loses_nor_doubles(broker: MemoryBroker, when: str) -> None:
    async with running(broker) as kept:
        broker.fail_next_write = when
        kept.note(record(1), "malformed")
        kept.note(record(5), "malformed")
        await eventually(lambda: not (broker.fail_next_write or kept._waiting), "nothing waits")
    assert await offsets(broker) == [(0, 1), (0, 5)]


async def test_a_topic_that_is_not_there_yet_is_waited_for_and_what_waits_is_bounded() -> None:
    broker = MemoryBroker()
    async with running(broker) as kept:
        for offset in range(40):
            kept.note(record(offset, value=b"x" * MOST_VALUE), "malformed")
        assert kept._bytes <= MOST_WAITING
        few = len(kept._waiting)
        assert kept.lost == 40 - few > 0
        await broker.create_topic(TopicInfo(TOPIC, 1, 1, {}))
        await eventually(lambda: kept.written == few, "what fitted is written")
        kept.note(record(40), "malformed")
        await eventually(lambda: kept.written == few + 1, "and there is space again")


async def test_a_topic_that_was_created_again_begins_anew(broker: MemoryBroker) -> None:
    async with running(broker) as kept:
        kept.note(record(100, timestamp=1_000), "malformed")
        kept.note(record(0, timestamp=2_000), "malformed")
        await eventually(lambda: kept.written == 2, "both are written")


async def test_an_error_in_here_ends_nothing_else(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(RejectedRecords, "_output", broken)
    kept = RejectedRecords(broker, TOPIC, "engine-rejected")
    kept.note(record(1), "malformed")
    await kept.run()
    kept.note(record(2), "malformed")


async def test_the_engine_writes_what_its_queries_drop_and_goes_on() -> None:
    """Two queries read the topic; records come in batches and one by one, and a commit fails meanwhile."""
    ddl = """
    CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');
    CREATE STREAM copied WITH (KAFKA_TOPIC='copied') AS SELECT * FROM clicks EMIT CHANGES;
    CREATE STREAM again WITH (KAFKA_TOPIC='again') AS SELECT * FROM clicks EMIT CHANGES;
    """
    async with lab(rejected_topic=TOPIC) as server:
        for name, partitions in (("clicks", 2), (TOPIC, 1)):
            await server.broker.create_topic(TopicInfo(name, partitions, 1))
        body = {"ksql": ddl, "streamsProperties": {"auto.offset.reset": "earliest"}}
        assert (await server.client.post("/ksql", json=body)).status_code == 200
        for number in range(200):
            value = b'{"n": 1}' if number % 10 else b"no JSON %d" % number
            server.broker.produce("clicks", b"%d" % number, value, 1_000)
            if number == 150:
                await eventually(lambda: len(server.broker.records("again")) == 135, "the first are copied")
                server.broker.fail_next_write = "before"
        copies = ("copied", "again")
        await eventually(lambda: all(len(server.broker.records(c)) == 180 for c in copies), "all are copied")
        kept = server.core.rejected
        assert kept is not None
        await eventually(lambda: kept.written == 20, lambda: f"20 are written: {kept.written}")
        await server.quiet()
        values = sorted(r.value or b"" for r in server.broker.records(TOPIC))
        metrics = (await server.client.get("/metrics")).text
    assert values == sorted(b"no JSON %d" % number for number in range(0, 200, 10))
    assert 'ksql_rejected_records_total{outcome="written"} 20.0' in metrics
