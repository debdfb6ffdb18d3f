"""A topic that is deleted and created again starts at offset 0: what was known of the old one must not hold up the new one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.ksql.engine.chunk import Chunk
from services.ksql.engine.records import OutputRecord
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.broker import OffsetRange, TopicPartition
from services.ksql.runtime.shared_consumers import SharedConsumers
from tests.patience import STEP_S, eventually
from tests.unit.ksql.memory_broker import MemoryBroker
from tests.unit.ksql.rest.replay import Lab, lab

_CHAIN = """
CREATE STREAM copied WITH (KAFKA_TOPIC='copied') AS SELECT * FROM clicks EMIT CHANGES;
CREATE TABLE counts WITH (KAFKA_TOPIC='counts') AS SELECT k, COUNT(*) AS n FROM copied GROUP BY k EMIT CHANGES;
"""


async def run(server: Lab, statements: str) -> None:
    body = {"ksql": statements, "streamsProperties": {"auto.offset.reset": "earliest"}}
    response = await server.client.post("/ksql", json=body)
    assert response.status_code == 200, response.text


def counted(server: Lab) -> dict[str, Any]:
    newest = {r.key: r.value for r in server.broker.records("counts")}
    return {k.decode(): json.loads(v)["N"] for k, v in newest.items() if k is not None and v is not None}


async def counts(server: Lab, wanted: dict[str, int]) -> None:
    await eventually(lambda: counted(server) == wanted, lambda: f"{wanted}, but there is {counted(server)}")


async def test_a_topic_created_again_is_read_from_its_start() -> None:
    async with lab() as server:
        await server.broker.create_topic(TopicInfo("clicks", 2, 1))
        await run(
            server, "CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');"
        )
        for _ in range(50):
            server.broker.produce("clicks", b"a", b'{"n": 1}')
        await run(server, _CHAIN)
        await counts(server, {"a": 50})

        await run(
            server, "DROP TABLE counts DELETE TOPIC; DROP STREAM copied DELETE TOPIC; DROP STREAM clicks DELETE TOPIC;"
        )
        await server.broker.create_topic(TopicInfo("clicks", 2, 1))
        await run(
            server, "CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');"
        )
        await run(server, _CHAIN)
        # not through the first query, which would report the end of the topic again
        server.broker.produce("copied", b"a", b'{"N": 1}')
        await counts(server, {"a": 1})
        server.broker.produce("clicks", b"a", b'{"n": 1}')
        await counts(server, {"a": 2})


class Reader:
    """A subscriber that remembers the last end that it was given."""

    def __init__(self, tp: TopicPartition) -> None:
        self.fetched = {tp: 0}
        self.end = -1
        self.notified = asyncio.Event()

    def deliver(self, tp: TopicPartition, chunk: Chunk | None, *, position: int, end: int) -> None:
        self.fetched[tp] = position
        self.end = end
        self.notified.set()

    def mark_polled(self, tp: TopicPartition, checked_ms: int) -> bool:
        return False

    def wants(self, tp: TopicPartition, backlog: int) -> bool:
        return True


async def test_what_was_expected_of_a_topic_is_forgotten_with_its_last_reader() -> None:
    broker, tp = MemoryBroker(), TopicPartition("clicks", 0)
    await broker.create_topic(TopicInfo("clicks", 1, 1))
    consumers = SharedConsumers(broker, lambda: None)
    try:
        first = Reader(tp)
        consumers.subscribe(first, {tp: 0})
        consumers.expect({tp: 50})
        assert first.end == 50
        consumers.unsubscribe(first)

        broker.produce("clicks", b"a", b"{}")
        second = Reader(tp)
        consumers.subscribe(second, {tp: 0})
        async with asyncio.timeout(STEP_S):
            await second.notified.wait()
        assert (second.fetched[tp], second.end) == (1, 1)
    finally:
        await consumers.aclose()


async def test_a_partition_is_not_at_its_end_while_a_transaction_is_about_to_be_readable() -> None:
    broker, tp = MemoryBroker(), TopicPartition("clicks", 0)
    await broker.create_topic(TopicInfo("clicks", 1, 1))
    producer = broker.producer("another")
    await producer.start()
    written, go = asyncio.Event(), asyncio.Event()

    async def follow(spans: Mapping[TopicPartition, OffsetRange]) -> Sequence[OutputRecord]:
        written.set()
        await go.wait()
        return ()

    writing = asyncio.create_task(producer.write([OutputRecord("clicks", 0, b"a", b"{}", 1_000)], follow))
    await written.wait()
    consumers, reader = SharedConsumers(broker, lambda: None), Reader(tp)
    try:
        consumers.subscribe(reader, {tp: 0})
        async with asyncio.timeout(STEP_S):
            await reader.notified.wait()
            assert (reader.fetched[tp], reader.end) == (0, 1)
            go.set()
            await writing
            while reader.fetched[tp] < reader.end:
                reader.notified.clear()
                await reader.notified.wait()
    finally:
        await consumers.aclose()
