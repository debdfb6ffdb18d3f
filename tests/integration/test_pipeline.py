"""The proof: every number in Pinot equals a recomputation from the raw topics, row for row."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from functools import partial

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from services.dashboard.queries import Span, Warehouse
from services.dashboard.settings import Settings
from shared.events import PageView, Source
from shared.partitioner import partition_for
from shared.topics import PAGE_VIEW, PARTITIONS, USER_SESSION, USERS
from tests.integration.comparison import DIMENSIONS, actual_tables, table_differences
from tests.integration.recompute import Table, expected_tables, greatest_lateness
from tests.integration.sources import pinot_table, query_pinot, read_topic
from tests.patience import STEP_S, eventually, eventually_blocking
from tests.stack import Stack

pytestmark = pytest.mark.stack

EVENTS = 6_000
RATE = 600
GRACE_MS = 600_000


async def recompute(stack: Stack) -> dict[str, Table]:
    topics = [await read_topic(stack.kafka_bootstrap, topic) for topic in (PAGE_VIEW, USER_SESSION, USERS)]
    assert greatest_lateness(topics[0], "event_timestamp") < GRACE_MS, "late events would make the comparison ambiguous"
    return expected_tables(*topics)


async def nothing_is_behind(stack: Stack) -> bool:
    """Whether every query has read its sources to their ends, and every Pinot table its topic.

    A transaction ends with a marker in each partition, which takes an offset: Pinot's position stays before the last one.
    """
    async with httpx.AsyncClient(base_url=stack.url("provisioner"), timeout=STEP_S) as provisioner:
        status = (await provisioner.get("/provisioner/status", params={"fresh": "true"})).json()
    facts = [resource["facts"] for resource in status["resources"]]
    lags = [found["lag"] for found in facts if "lag" in found]
    behind = [found["offset_lag"] - found["partitions"] for found in facts if "offset_lag" in found]
    return len(lags) >= len(DIMENSIONS) <= len(behind) and not any(lags) and max(behind) <= 0


async def compare(stack: Stack) -> list[str]:
    expected = await recompute(stack)
    return table_differences(expected, await actual_tables(stack.url("pinot_broker"), expected))


@pytest.fixture(scope="module")
def generated(stack: Stack) -> dict[str, object]:
    """Some seconds of load, to its end; gives the generator's final status."""
    with httpx.Client(base_url=stack.url("generator"), timeout=STEP_S) as generator:
        generator.post("/generator/stop")
        generator.post("/generator/start", json={"rate": RATE, "max_events": EVENTS}).raise_for_status()

        def ended() -> dict[str, object] | None:
            status = dict(generator.get("/generator/status").json())
            return status if status["state"] == "stopped" else None

        final = eventually_blocking(ended, f"{EVENTS} events")
        assert final is not None
        return final


async def test_every_acknowledged_event_is_in_kafka_once(stack: Stack, generated: dict[str, object]) -> None:
    assert generated["failed"] == {}
    assert generated["sent"] == generated["acknowledged"]
    assert generated["acknowledged"] == EVENTS
    views = await read_topic(stack.kafka_bootstrap, PAGE_VIEW)
    assert {r.partition for r in views} == set(range(PARTITIONS))
    assert all(r.key and r.partition == partition_for(r.key, PARTITIONS) for r in views)


async def test_pinot_equals_the_recomputation_row_for_row(stack: Stack, generated: dict[str, object]) -> None:
    async def equal() -> bool:
        return not await compare(stack)

    try:
        await eventually(equal, "equality", every_s=0.5)
    except AssertionError:
        found = await compare(stack)
        pytest.fail(f"{len(found)} differences:\n" + "\n".join(found[:20]))
    # It must also stay so: a result that is counted twice arrives after the right one.
    await eventually(partial(nothing_is_behind, stack), "queries and Pinot have read everything")
    assert await compare(stack) == []


async def test_no_column_of_pinot_holds_its_default_value(stack: Stack, generated: dict[str, object]) -> None:
    expected = await recompute(stack)
    for name, dimension in DIMENSIONS.items():
        rows, _ = await pinot_table(stack.url("pinot_broker"), name, dimension, next(iter(expected[name].values())))
        for row in rows.values():
            assert row[dimension] not in ("null", "", None)
            assert all(isinstance(v, str) or v > 0 for v in row.values()), f"{name}: {row}"


async def test_a_session_that_merged_or_grew_backwards_is_shown_once(stack: Stack) -> None:
    """Out-of-order views join three sessions into one; Pinot keeps the old rows, the query layer must not show them."""
    # A real source, but in a quiet hour of its own: nothing else lies within the gap.
    base = int(time.time() * 1000) - 300_000
    source = f"Merge-{base}"
    offsets_ms = (0, 50_000, 100_000, 25_000, 75_000, -20_000)
    #: after each of them: how many rows there are at least, and how many views the greatest session has
    after = ((1, 1), (2, 1), (3, 1), (3, 3), (3, 5), (3, 6))
    sql = (
        f"SELECT source, window_start, window_end, view_count FROM pageview_session WHERE source = '{source}' LIMIT 100"
    )

    async def grown(least: int, greatest: int) -> bool:
        rows = await query_pinot(stack.url("pinot_broker"), sql)
        return len(rows) >= least and max(row["view_count"] for row in rows) == greatest

    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for number, offset in enumerate(offsets_ms):
            view = PageView(f"merge-{base}", number + 1, Source.INBOX, base + offset)
            value = view.value().replace(b'"Inbox"', f'"{source}"'.encode())
            # One by one, so that each changes the sessions before the next does.
            await producer.send_and_wait(PAGE_VIEW, value, key=view.key())
            await eventually(partial(grown, *after[number]), f"sessions after {number + 1} views", every_s=0.1)
    finally:
        await producer.stop()

    rows = await query_pinot(stack.url("pinot_broker"), sql)
    assert len(rows) > 1, "Pinot was expected to keep the rows of the sessions that merged"

    settings = Settings(pinot_broker_url=stack.url("pinot_broker"), query_timeout=timedelta(seconds=STEP_S))
    span = Span(since=base - 60_000, now=base + 200_000, until=base + 200_000)
    shown = await asyncio.to_thread(Warehouse.connect(settings).sessions, span)
    ours = shown[shown["source"] == source]
    merged = (ours["window_start"].iloc[0].timestamp(), ours["window_end"].iloc[0].timestamp())
    assert len(ours) == 1
    assert merged == pytest.approx(((base - 20_000) / 1000, (base + 100_000) / 1000), abs=0.0005)
