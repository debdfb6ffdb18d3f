"""The transactional writer on real brokers."""

from __future__ import annotations

import asyncio

import pytest

from services.ksql.runtime import kafka_writer
from services.ksql.runtime.broker import BrokerError, Outgoing
from services.ksql.runtime.kafka import KafkaBroker
from tests.integration.ksql.harness import KsqlServer, read_all

pytestmark = pytest.mark.stack


async def test_a_writer_gives_up_a_deleted_topic_and_the_next_one_takes_over(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_writer, "_STALL_S", 2.0)
    server = KsqlServer(bootstrap)
    broker = KafkaBroker(bootstrap)
    await broker.start()
    try:
        gone, kept = await server.create_topic("gone", 1), await server.create_topic("kept", 1)
        first, second = broker.writer(f"{server.prefix}writer"), broker.writer(f"{server.prefix}writer")
        async with asyncio.timeout(60):
            await first.start()
            await first.write([Outgoing(gone, 0, b"k", b"1"), Outgoing(kept, 0, b"k", b"1")])
            await broker.delete_topic(gone)
            with pytest.raises(BrokerError):
                await first.write([Outgoing(gone, 0, b"k", b"2"), Outgoing(kept, 0, b"k", b"2")])
            await first.stop()
            await second.start()
            await second.write([Outgoing(kept, 0, b"k", b"3")])
            await second.stop()
        assert [record.value for record in await read_all(bootstrap, kept)] == [b"1", b"3"]
    finally:
        await broker.stop()
        await server.client.aclose()
        await server.clean_up()
