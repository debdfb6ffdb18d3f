"""Strange records in the source topics of the real stack: every one is counted or skipped, and the audit agrees."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from shared import dimension
from shared.topics import PAGE_VIEW, USER_SESSION
from tests.integration.sources import STRANGE, query_pinot
from tests.patience import STEP_S, eventually
from tests.stack import Stack

pytestmark = pytest.mark.stack

DEADLINE_S = STEP_S
_URL = "https://example.org/landing?campaign="
_ROCKETS = "\U0001f680" * 2_000

#: what goes in front of the text, so that runs on one stack do not meet
MARK = f"{STRANGE}{time.time_ns()}"

#: JSON texts of sources -> what they are counted as and how often
SOURCES: list[tuple[str, str]] = [
    (rf'"{MARK}\ud83e"', f"{MARK}?"),
    (rf'"{MARK}\udd14"', f"{MARK}?"),
    (f'"{MARK}?"', f"{MARK}?"),
    (rf'"{MARK}\u0000b"', f"{MARK}␀b"),
    (rf'"{MARK}\u0000c"', f"{MARK}␀c"),
    (rf'"{MARK}\u0001\u001b\u007f\u2028"', f"{MARK}\x01\x1b\x7f\u2028"),
    (f'"{MARK}thailand"', f"{MARK}thailand"),
    (f'"{MARK}Thailand"', f"{MARK}Thailand"),
    (f'"{MARK}Thailand "', f"{MARK}Thailand "),
    (f'"{MARK}{_URL}{"x" * 529}1"', f"{MARK}{_URL}{'x' * 529}1"),
    (f'"{MARK}{_URL}{"x" * 529}2"', f"{MARK}{_URL}{'x' * 529}2"),
    (f'"{MARK}{_URL}{"x" * 5_000}1"', dimension.apply(f"{MARK}{_URL}{'x' * 5_000}1")),
    (f'"{MARK}{_URL}{"x" * 5_000}2"', dimension.apply(f"{MARK}{_URL}{'x' * 5_000}2")),
    (f'"{MARK}{_ROCKETS}"', f"{MARK}{_ROCKETS}"),
    (f'"{MARK}{"y" * 900_000}"', dimension.apply(f"{MARK}{'y' * 900_000}")),
    (f'["{MARK}", 12.5, 1.50e3, null]', f"[{MARK}, 12.5, 1.50E+3, null]"),
    (f'["{MARK}", 12.50]', f"[{MARK}, 12.50]"),
    (f'["{MARK}", 123456789012345678901234567890]', f"[{MARK}, 123456789012345678901234567890]"),
    (rf'{{"{MARK}":{{"a":"\u001b","b":42.000}}}}', rf'{{"{MARK}":{{"a":"\u001B","b":42.000}}}}'),
]


def view(source: str, user: str = "9999999", at: int | str | None = None, end: bytes = b"") -> bytes:
    moment = time.time_ns() // 1_000_000 if at is None else at
    return f'{{"session_id":"s","user_id":{user},"source":{source},"event_timestamp":{moment}}}'.encode() + end


def readable() -> list[bytes]:
    """Every one is a view of the source MARK, by users that are not in the table: the other tests' sums stay as they are."""
    source = f'"{MARK}"'
    return [
        *(
            view(source, user)
            for user in (
                '"٩٩٩٩٩٩٩"',
                '"９９９９９９９"',
                '"+9999999"',
                "9999999.7",
                "3000000000",
                "1e400",
                "null",
                "-0.0",
            )
        ),
        view(source, end=b" tail"),
        view(source, end=b"\xff\xfe"),
        b"\xef\xbb\xbf" + view(source),
        view(source, at=f'"{time.time_ns() // 1_000_000}"'),
        view(source, at=f"{time.time_ns() // 1_000_000}.9"),
    ]


def unreadable() -> list[bytes | None]:
    """None is counted anywhere."""
    source = f'"{MARK}"'
    ahead = time.time_ns() // 1_000_000 + 2 * 3_600_000
    return [
        *(view(source, user) for user in ('"𝟝"', '" 1"', '"1_0"', '""', "true", "[1]", "01", "NaN", "1" * 1_001)),
        *(view(source, at=at) for at in ("-5", "null", '"x"', "1e2147483648", ahead)),
        view(f'"{MARK}')[:-1],
        view(source).replace(b"strange", b"\xff", 1),
        view("[" * 2_000 + f'"{MARK}"' + "]" * 2_000),
        b"null",
        b"",
        None,
    ]


async def send(stack: Stack, topic: str, values: list[bytes | None], timestamp_ms: int | None = None) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=stack.kafka_bootstrap, acks="all", max_request_size=1 << 20
    ) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"strange", timestamp_ms=timestamp_ms)


async def counts(stack: Stack, table: str, column: str, count: str) -> dict[str, int]:
    """Of this run's names, over all windows."""
    sql = f"SELECT {column}, SUM({count}) AS n FROM {table} GROUP BY {column} LIMIT 10000"
    rows = await query_pinot(stack.url("pinot_broker"), sql)
    return {str(row[column]): int(row["n"]) for row in rows if MARK in str(row[column])}


async def verified(stack: Stack) -> dict[str, Any]:
    """The report of an audit that began now; the answers on the way must be answers."""
    async with httpx.AsyncClient(base_url=stack.url("provisioner"), timeout=DEADLINE_S) as provisioner:
        answer = await provisioner.post("/provisioner/verify", params={"wait": "true"})
        assert answer.status_code == 200, answer.text
        state = await provisioner.get("/provisioner/verify")
        assert state.status_code == 200, state.text
        sample = await provisioner.get("/provisioner/sample", params={"rows": 100})
        assert sample.status_code == 200, sample.text
        report: dict[str, Any] = state.json()["last"]
        return report


async def test_every_strange_record_is_counted_or_skipped_and_the_audit_agrees(stack: Stack) -> None:
    before = await verified(stack)
    skipped = unreadable()
    await send(stack, PAGE_VIEW, [view(source) for source, _ in SOURCES])
    # as old as a record can be: the broker gives each the time of its own clock
    await send(stack, PAGE_VIEW, list(readable()), timestamp_ms=0)
    await send(stack, PAGE_VIEW, skipped)
    logins = [view(source).replace(b'"source"', b'"device"').replace(b"event_t", b"login_t") for source, _ in SOURCES]
    await send(stack, USER_SESSION, list(logins))

    expected: dict[str, int] = {}
    for _, name in SOURCES:
        expected[name] = expected.get(name, 0) + 1
    views = expected | {MARK: len(readable())}
    found: dict[str, int] = {}
    devices: dict[str, int] = {}

    async def counted() -> bool:
        nonlocal found, devices
        found = await counts(stack, "pageview_tumbling", "source", "view_count")
        devices = await counts(stack, "usersession_device", "device", "session_count")
        return (found, devices) == (views, expected)

    def differing() -> dict[str, object]:
        return {"views": sorted(found.items() ^ views.items()), "devices": sorted(devices.keys() ^ expected.keys())}

    await eventually(counted, differing, every_s=0.5)

    report = await verified(stack)
    assert report["ok"], [table for table in report["tables"] if table["examples"]]
    assert report["undecodable"] == {}
    assert report["unreadable"][PAGE_VIEW] - before["unreadable"].get(PAGE_VIEW, 0) == len(skipped)
    assert report["rewritten"][PAGE_VIEW]["merged"] >= 1
    async with httpx.AsyncClient(base_url=stack.url("provisioner"), timeout=STEP_S) as provisioner:
        plan = (await provisioner.get("/provisioner/plan")).json()
    assert plan["changes"] == 0, [step for step in plan["steps"] if step["action"] != "unchanged"]
