"""What an operator does about rejected events, and a recording, with the stack's own collector and brokers."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord

from deploy.local.recording import Recorded, record
from shared import topics
from tests.integration.ksql.harness import read_all
from tests.patience import STEP_S, WORK_S, eventually
from tests.stack import Stack, pagepulse

pytestmark = pytest.mark.stack


async def command(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    """What a command prints as JSON: an object, or one in each line."""
    done = await asyncio.to_thread(pagepulse, *arguments, "--json", "--dir", str(stack.directory))
    assert done.returncode == 0, done.stderr
    decoder, found, text = json.JSONDecoder(), list[dict[str, Any]](), done.stdout.strip()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


async def test_rejected_events_are_shown_and_replayed_once_and_views_are_recorded(stack: Stack, tmp_path: Path) -> None:
    pagepulse("load", "stop", "--dir", str(stack.directory))
    mark = uuid4().hex[:12]
    bad = {"id": f"bad-{mark}", "session": f"visit-{mark}", "url": f"javascript:{mark}"}
    good = {"id": f"good-{mark}", "session": f"visit-{mark}", "url": f"/replayed/{mark}"}
    seen, begun = Recorded(), asyncio.Event()
    file = tmp_path / "views.ndjson.gz"

    def progress(so_far: Recorded) -> None:
        seen.events = so_far.events

    recording = asyncio.create_task(
        record(stack.kafka_bootstrap, [topics.PAGE_VIEW], WORK_S, file, begun=begun.set, progress=progress)
    )
    await begun.wait()
    async with httpx.AsyncClient(base_url=stack.url("collector"), timeout=STEP_S) as collector:
        answer = await collector.post("/collect", json=bad)
        assert (answer.status_code, len(answer.json()["rejected"])) == (202, 1)

    async def shown() -> bool:
        return any(mark in event["value"] for event in await command(stack, "rejected", "--reason", "url", "-n", "100"))

    async def marked() -> list[ConsumerRecord]:
        return [r for r in await read_all(stack.kafka_bootstrap, topics.REJECTED) if mark.encode() in (r.value or b"")]

    await eventually(shown, "the rejected event is shown")
    (mine,) = await marked()
    assert json.loads(mine.value) == bad

    # Another one that the rules of today take, as if they had been repaired since.
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap) as producer:
        await producer.send_and_wait(topics.REJECTED, json.dumps(good).encode(), headers=list(mine.headers))
    (first,) = await command(stack, "replay-rejected")
    (second,) = await command(stack, "replay-rejected")
    assert (first["sent"] >= 1, second["sent"]) == (True, 0)
    assert first["rejected"] == second["rejected"] >= 1, "what is not valid stays"
    assert len(await marked()) == 2, "and is not written again"

    await eventually(lambda: seen.events >= first["sent"], "what was replayed is recorded")
    recording.cancel()
    await asyncio.wait([recording])
    pages = [json.loads(line).get("page") for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert pages.count(f"/replayed/{mark}") == 1

    # What the engine's queries drop is there too, once.
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap) as producer:
        await producer.send_and_wait(topics.PAGE_VIEW, f"no JSON {mark}".encode(), b"s")

    async def dropped() -> list[dict[str, bytes]]:
        return [dict(r.headers) for r in await marked() if r.value == f"no JSON {mark}".encode()]

    async def is_there() -> bool:
        return bool(await dropped())

    await eventually(is_there, "the malformed record is in the topic")
    (headers,) = await dropped()
    assert (headers["field"], headers["topic"]) == (b"malformed", topics.PAGE_VIEW.encode())
