"""Reads raw topics and Pinot tables whole, for comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.kafka import end_offsets
from tests.integration.recompute import Raw, Row, Table
from tests.patience import STEP_S, WORK_S

#: begins the names in records that ``recompute`` cannot read (``test_strange_records``): they are left out on both sides
STRANGE = "strange-"


async def read_topic(bootstrap: str, topic: str) -> list[Raw]:
    """Every committed record of ``topic`` up to its present end, in order within each partition."""
    ends = {tp: end for tp, end in (await end_offsets(bootstrap, [topic])).items() if end > 0}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    records: list[Raw] = []
    try:
        consumer.assign(list(ends))
        async with asyncio.timeout(WORK_S):
            while await _behind(consumer, ends):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    records += [
                        Raw(r.key, r.value, r.timestamp, r.partition, r.offset)
                        for r in batch
                        if STRANGE.encode() not in (r.value or b"")
                    ]
    finally:
        await consumer.stop()
    return records


async def _behind(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    return any([await consumer.position(partition) < end for partition, end in ends.items()])


async def query_pinot(broker_url: str, sql: str) -> list[Row]:
    """The rows of a SQL query.

    Raises:
        AssertionError: the broker answered with exceptions.
    """
    async with httpx.AsyncClient(base_url=broker_url, timeout=STEP_S) as client:
        answer: dict[str, Any] = (await client.post("/query/sql", json={"sql": sql})).json()
    assert not answer.get("exceptions"), answer["exceptions"]
    result = answer["resultTable"]
    return [dict(zip(result["dataSchema"]["columnNames"], row, strict=True)) for row in result["rows"]]


async def pinot_table(broker_url: str, name: str, dimension: str, columns: Iterable[str]) -> tuple[Table, int]:
    """The rows of a table by (dimension, window_start), and how many there were (more than keys = a window twice)."""
    rows = await query_pinot(broker_url, f"SELECT {', '.join(columns)} FROM {name} LIMIT 1000000")
    rows = [row for row in rows if STRANGE not in str(row[dimension])]
    return {(row[dimension], row["window_start"]): row for row in rows}, len(rows)


def without_stale_sessions(table: Table) -> Table:
    """Drops each session that lies inside another one of the same source: a merge left it behind."""
    return {
        (source, start): row
        for (source, start), row in table.items()
        if not any(
            other is not row
            and other_source == source
            and other["window_start"] <= start
            and row["window_end"] <= other["window_end"]
            for (other_source, _), other in table.items()
        )
    }
