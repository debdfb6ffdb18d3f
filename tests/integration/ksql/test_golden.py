"""The golden inputs through a real server over Kafka, five partitions, all at once: what made the real one lose half of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import golden
from tests.integration.ksql.harness import KsqlServer, key_bytes, latest, producing, read_all, send_all

pytestmark = pytest.mark.stack

_SOURCES = ("topic1_PageView", "topic2_UserSession", "topic3_Users")
_WINDOWED = {
    "topic5_PageView_Country": ("PAGEVIEW_COUNTRY", 8),
    "topic6_PageView_Tumbling": ("PAGEVIEW_TUMBLING", 8),
    "topic7_PageView_Hopping": ("PAGEVIEW_HOPPING", 8),
    "topic8_PageView_Session": ("PAGEVIEW_SESSION", 16),
    "topic9_UserSession_Device": ("USERSESSION_DEVICE", 8),
}
_GAP_MS = 30_000


def statements(prefix: str) -> list[str]:
    """The paragraphs of pipeline.sql over topics with a prefix."""
    text = golden.text("pipeline.sql")
    for topic in (*_SOURCES, "topic4_CleanedUsers", "'pageview_enriched'", *_WINDOWED):
        text = text.replace(f"'{topic.strip(chr(39))}'", f"'{prefix}{topic.strip(chr(39))}'")
    # With a retention of a day the brokers would delete results of event times that lie so far back.
    text = text.replace("RETENTION 1 DAY, ", "")
    return [paragraph for paragraph in text.split("\n\n") if paragraph.strip()]


def inputs(phase: int, topic: str) -> list[tuple[bytes | None, bytes | None, int]]:
    """The records of one phase for one topic, in order."""
    records = golden.lines("inputs.jsonl")
    return [
        (
            key_bytes(r["key"]),
            None if r["value"] is None else r["value"].encode("utf-8", "surrogatepass"),
            r["timestamp"],
        )
        for r in records
        if r["topic"] == topic and r["phase"] == phase
    ]


def windowed(rows: dict[bytes, bytes], tail: int) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows by key and window start, which is the last long of the key for every kind of window."""
    return {(key[:-tail].decode(), int.from_bytes(key[-8:], "big")): json.loads(value) for key, value in rows.items()}


async def test_an_unpaced_backlog_over_five_partitions_ends_as_the_paced_run_did(server: KsqlServer) -> None:
    for topic in _SOURCES:
        await server.create_topic(topic, 5, **{"retention.ms": "-1"})
    for statement in statements(server.prefix):
        await server.ksql(statement)
    async with producing(server.bootstrap) as producer:
        for phase in range(1, 6):
            for topic in ("topic3_Users", "topic2_UserSession", "topic1_PageView"):
                if records := inputs(phase, topic):
                    # Paused, so that a phase is a backlog however slowly this machine sends it.
                    await server.ksql("PAUSE ALL;")
                    await send_all(producer, server.prefix + topic, 5, records)
                    await server.ksql("RESUME ALL;")
                    await server.quiet()

    final = golden.document("final.json")["a"]
    late = late_times()
    for topic, (table, tail) in _WINDOWED.items():
        got = windowed(latest(await read_all(server.bootstrap, server.prefix + topic)), tail)
        wanted = {(r["key"], r["window"]["start"]): r["value"] for r in final[topic]}
        missing = {k: v for k, v in wanted.items() if got.get(k) != v and not touched(k[1], v, late[table])}
        extra = {k: v for k, v in got.items() if k not in wanted and not touched(k[1], v, late[table])}
        assert not missing, f"{topic}: {list(missing.items())[:3]} but {[got.get(k) for k in list(missing)[:3]]}"
        assert not extra, f"{topic}: {list(extra.items())[:3]}"
        counted = [sum(r.get("view_count", r.get("session_count", 0)) for r in rows.values()) for rows in (got, wanted)]
        assert counted[0] >= counted[1], f"{topic} lost views: {counted}"


def late_times() -> dict[str, list[int]]:
    """Event times of the records that the paced run dropped as late, by table: only their windows may differ."""
    times: dict[str, list[int]] = {table: [] for table, _ in _WINDOWED.values()}
    for entry in golden.lines("late.jsonl"):
        times[entry["table"]].append(entry["timestamp"])
    return times


def touched(start: int, row: dict[str, Any], times: list[int]) -> bool:
    """Whether a late record falls into the window, or within a session's gap of it."""
    return any(start - _GAP_MS <= time <= row["window_end"] + _GAP_MS for time in times)
