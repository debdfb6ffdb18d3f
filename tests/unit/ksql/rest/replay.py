"""Replays REST transcripts of a real ksqlDB against the app over an in-memory broker, and compares the answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from services.ksql.app import core_options, create_app
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.core import Core
from services.ksql.runtime.query_task import PersistentTask
from services.ksql.settings import Settings
from tests import golden
from tests.patience import STEP_S, eventually
from tests.unit.ksql.inline_runtime import InlineRuntime
from tests.unit.ksql.memory_broker import MemoryBroker

_SOURCES = ("topic1_PageView", "topic2_UserSession", "topic3_Users")
#: members whose values are clocks, counters, ids of runs, or names of this server
_VARYING = frozenset(
    {
        "clusterErrorStats",
        "clusterStatistics",
        "commandSequenceNumber",
        "consumerGroupId",
        "errorStats",
        "kafka-cluster",
        "kafkaClusterId",
        "ksqlHostQueryStatus",
        "lastStatusUpdateMs",
        "queryOffsetSummaries",
        "sourceConstraints",
        "statistics",
        "statusCount",
        "tasksMetadata",
        "timestamp",
        "topology",
    }
)
_IDS = re.compile(r"(query_|transient_[A-Z_]+_)\d+")
_UNORDERED = frozenset(["streams", "tables", "topics", "queries", "readQueries", "writeQueries"])


def is_processed(task: PersistentTask) -> bool:
    """Whether all known records have been processed."""
    return all(0 <= progress.end <= progress.position for progress in task.progress.values())


@dataclass
class Lab:
    """The app with its client."""

    broker: MemoryBroker
    core: Core
    client: httpx.AsyncClient

    async def quiet(self) -> None:
        """Waits until every query has read everything and all is committed."""
        stable_polls = 0

        def is_quiet() -> bool:
            nonlocal stable_polls
            queries = list(self.core.query_manager.queries.values())
            stable_polls = stable_polls + 1 if all(is_processed(q) and q.output.is_committed for q in queries) else 0
            return stable_polls >= 3

        await eventually(is_quiet, "no query has lag", every_s=0.05)


@asynccontextmanager
async def lab(**settings: Any) -> AsyncIterator[Lab]:
    """A server over an empty in-memory broker."""
    options = Settings(
        commit_interval=timedelta(milliseconds=20),
        command_timeout=timedelta(milliseconds=200),
        max_event_time_ahead=None,
        **settings,
    )
    broker = MemoryBroker(default_config={"retention.ms": "604800000"})
    core = Core(broker, core_options(options))
    runtime = InlineRuntime(core)
    app = create_app(options, runtime=runtime)
    await runtime.start()
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=STEP_S) as client:
            yield Lab(broker, core, client)
    finally:
        await runtime.stop()


async def load_golden(broker: MemoryBroker) -> None:
    """The source topics with all their records, one partition each."""
    for topic in _SOURCES:
        await broker.create_topic(TopicInfo(topic, 1, 1, {"retention.ms": "-1"}))
    for record in golden.lines("inputs.jsonl"):
        key = record["key"]
        if key is not None:
            key = key.to_bytes(4, "big", signed=True) if record["key_type"] == "INT" else str(key).encode()
        value = None if record["value"] is None else record["value"].encode("utf-8", "surrogatepass")
        broker.produce(record["topic"], key, value, record["timestamp"], 0)


@dataclass
class Difference:
    name: str
    wanted: Any
    got: Any


@dataclass
class Outcome:
    equal: int = 0
    differences: list[Difference] = field(default_factory=list)


async def replay(lab: Lab, transcript: Iterable[dict[str, Any]]) -> Outcome:
    """Sends every request in order."""
    outcome = Outcome()
    for exchange in transcript:
        request = exchange["request"]
        body = (
            request.encode() if isinstance(request, str) else None if request is None else json.dumps(request).encode()
        )
        headers = {"content-type": exchange.get("request_content_type", "application/vnd.ksql.v1+json")}
        accept = exchange.get("accept", "application/vnd.ksql.v1+json")
        if accept is not None:
            headers["accept"] = accept
        if "/query" in exchange["path"]:
            await lab.quiet()
        if "ended" in exchange:
            continue
        async with asyncio.timeout(STEP_S):
            response = await lab.client.request(exchange["method"], exchange["path"], content=body, headers=headers)
        wanted = (exchange["status"], normal(exchange["response"]))
        answer = normal(_content(response, exchange["response"]))
        if exchange.get("note") == "first four":
            answer = {name: dict(sorted(listed.items())[:4]) for name, listed in answer.items()}
        if exchange.get("note") == "only the ids are kept here":
            answer = [query["id"] for query in answer[0]["queries"]]
        got = (response.status_code, answer)
        if _same(wanted, got):
            outcome.equal += 1
        else:
            outcome.differences.append(Difference(exchange["name"], wanted, got))
    return outcome


def _content(response: httpx.Response, like: Any) -> Any:
    if isinstance(like, str):
        return response.text
    try:
        return response.json()
    except ValueError:
        return response.text


def _same(wanted: tuple[int, Any], got: tuple[int, Any]) -> bool:
    if wanted[0] != got[0]:
        return False
    return _fits(wanted[1], got[1])


def _fits(wanted: Any, got: Any) -> bool:
    """Equal, but lists that the transcript trimmed ("... 96 in all") need only have the members' shape."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return wanted.keys() == got.keys() and all(_fits(wanted[k], got[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(got, list):
        if wanted and isinstance(wanted[-1], str) and wanted[-1].endswith("in all"):
            shape = set(wanted[0]) if isinstance(wanted[0], dict) else None
            return bool(got) and all(shape is None or set(item) == shape for item in got)
        return len(wanted) == len(got) and all(map(_fits, wanted, got))
    return bool(wanted == got)


def normal(value: Any, name: str = "") -> Any:
    """The answer without what varies from run to run."""
    if name in _VARYING:
        return "*"
    if isinstance(value, dict):
        return {k: normal(v, k) for k, v in value.items()}
    if isinstance(value, list):
        items = [normal(v) for v in value]
        return sorted(items, key=lambda v: json.dumps(v, sort_keys=True)) if name in _UNORDERED else items
    if isinstance(value, str):
        return _IDS.sub(r"\1N", value)
    return value


def show(outcome: Outcome) -> Iterator[str]:
    """The differences as text."""
    for difference in outcome.differences:
        yield f"{difference.name}\n  wanted {difference.wanted}\n  got    {difference.got}"
