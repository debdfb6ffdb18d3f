"""Kafka, Connect, ksqlDB and Pinot for tests: small stateful stand-ins behind the real clients (httpx.MockTransport), and a Kafka
client that keeps its topics in memory."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from services.provisioner.clients.connect import ConnectClient
from services.provisioner.clients.kafka import KafkaClient, TopicState
from services.provisioner.clients.ksql import KsqlClient
from services.provisioner.clients.pinot import PinotClient
from services.provisioner.pipeline import Servers
from services.provisioner.settings import Settings
from shared.errors import Unavailable
from shared.http import create_client
from tests.patience import STEP_S
from tests.unit.provisioner.fake_ksql import FakeKsql

Json = dict[str, Any]

FAST = timedelta(milliseconds=5)
#: until Pinot's servers see that a table is gone
NOTICED = timedelta(milliseconds=200)
#: with what must come
PATIENCE = timedelta(seconds=STEP_S)
#: with what never comes
IMPATIENCE = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True)
class Record:
    """As much of a consumer's record as is looked at."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple[tuple[str, bytes | None], ...] = ()


class FakeKafka(KafkaClient):
    """Topics by name; ``down`` makes every call fail as if no broker answered."""

    def __init__(self) -> None:
        super().__init__("fake:9092", timeout=PATIENCE, patience=PATIENCE, poll_interval=FAST)
        self.existing: dict[str, TopicState] = {}
        self.ends: dict[str, dict[int, int]] = {}
        self.deleted: list[str] = []
        self.down = False
        self.records: dict[str, list[Record]] = {}

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("Kafka at fake:9092 cannot be reached", service="kafka")

    async def ping(self) -> None:
        self._answer()

    async def topics(self) -> set[str]:
        self._answer()
        return set(self.existing)

    async def describe(self, name: str) -> TopicState | None:
        self._answer()
        return self.existing.get(name)

    async def create(self, name: str, partitions: int, replication_factor: int, config: dict[str, str]) -> None:
        self._answer()
        self.existing.setdefault(name, TopicState(name, partitions, replication_factor, 0, dict(config)))
        self.ends.setdefault(name, dict.fromkeys(range(partitions), 0))

    async def set_config(self, name: str, config: dict[str, str]) -> None:
        old = self.existing[name]
        merged = {**old.config, **config}
        self.existing[name] = TopicState(name, old.partitions, old.replication_factor, 0, merged)

    async def delete(self, names: Iterable[str]) -> None:
        self._answer()
        for name in names:
            if self.existing.pop(name, None):
                self.ends.pop(name, None)
                self.deleted.append(name)

    async def end_offsets(self, topics: Iterable[str]) -> dict[str, dict[int, int]]:
        self._answer()
        return {topic: self.ends[topic] for topic in topics if topic in self.ends}

    async def begin_offsets(self, topic: str) -> dict[int, int]:
        return dict.fromkeys(self.ends.get(topic, {}), 0)

    async def tail(self, topic: str, rows: int) -> list[Any]:
        return self.records.get(topic, [])[-rows:]

    async def read(
        self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], stall: timedelta
    ) -> AsyncIterator[list[Any]]:
        for partition, end in ends.items():
            records = [r for r in self.records.get(topic, []) if r.partition == partition]
            if wanted := records[starts.get(partition, 0) : end]:
                yield wanted

    def append(self, topic: str, key: bytes | None, value: bytes | None, timestamp: int, partition: int = 0) -> None:
        """A record at the end of a partition; the topic is made if need be."""
        ends = self.ends.setdefault(topic, {0: 0})
        offset = ends.setdefault(partition, 0)
        ends[partition] = offset + 1
        self.records.setdefault(topic, []).append(Record(partition, offset, key, value, timestamp))


class FakeConnect:
    """One connector at most. ``script`` holds answers that come before any other; ``not_yet`` looks until RUNNING."""

    def __init__(self) -> None:
        self.config: Json | None = None
        self.state = "RUNNING"
        self.tasks = ["RUNNING"]
        self.trace = ""
        self.not_yet = 0
        self.requests: list[tuple[str, str]] = []
        self.script: list[httpx.Response] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append((request.method, path))
        if self.script:
            return self.script.pop(0)
        if path == "/":
            return httpx.Response(200, json={"version": "4.1.1"})
        if request.method == "PUT" and path.endswith("/config"):
            self.config = json.loads(request.content)
            return httpx.Response(201, json={})
        if self.config is None:
            return httpx.Response(404, json={"error_code": 404, "message": "No connector"})
        return self._on_connector(request, path)

    def _on_connector(self, request: httpx.Request, path: str) -> httpx.Response:
        if path.endswith("/config"):
            return httpx.Response(200, content=json.dumps(self.config))
        if path.endswith("/status"):
            return self._status()
        if path.endswith("/stop"):
            self.state, self.tasks = "STOPPED", []
        elif path.endswith(("/restart", "/resume")):
            self.state, self.tasks, self.trace = "RUNNING", ["RUNNING"], ""
        elif request.method == "DELETE" and not path.endswith("/offsets"):
            self.config, self.state, self.tasks = None, "RUNNING", ["RUNNING"]
        return httpx.Response(204)

    def _status(self) -> httpx.Response:
        if self.not_yet:
            self.not_yet -= 1
            return httpx.Response(200, json={"connector": {"state": "UNASSIGNED"}, "tasks": []})
        tasks = [{"state": state, "trace": self.trace} for state in self.tasks]
        return httpx.Response(200, json={"connector": {"state": self.state}, "tasks": tasks})


class FakePinot:
    """Controller and broker. ``lingering`` looks until a deleted table's external view is gone; ``script`` by method and path.

    For half of ``NOTICED`` after a deletion the server has not noticed it, and then drops a table that was made anew meanwhile.
    """

    def __init__(self, kafka: FakeKafka) -> None:
        self.kafka = kafka
        self.schemas: dict[str, Json] = {}
        self.tables: dict[str, Json] = {}
        self.requests: list[tuple[str, str]] = []
        self.script: dict[tuple[str, str], list[httpx.Response]] = {}
        self.lingering = 0
        self._deleted: dict[str, float] = {}
        self._dropped: set[str] = set()
        self.consuming = 5
        self.offsets: dict[str, int] = {}
        self.rows: dict[str, list[Json]] = {}
        #: to every query, if it is set
        self.answer: Json | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append((request.method, path))
        if scripted := self.script.get((request.method, path)):
            return scripted.pop(0)
        if path == "/health":
            return httpx.Response(200, text="OK")
        if path == "/query/sql":
            return httpx.Response(200, json=self._query(json.loads(request.content)["sql"]))
        if path.endswith("/validate"):
            return httpx.Response(200, json={})
        if path.startswith("/segments"):
            return httpx.Response(200, json={"status": "{}"})
        part = path.split("/")
        handler = self._schema if part[1] == "schemas" else self._table
        return handler(request, part[2] if len(part) > 2 else "", part[3] if len(part) > 3 else "")

    def _query(self, sql: str) -> Json:
        """Enough SQL for the auditor: the extent of a table, and its rows between two window starts."""
        if self.answer is not None:
            return self.answer
        match = re.search(r"FROM (\w+)", sql)
        rows = self.rows.get(match[1] if match else "")
        if "newest" in sql:
            newest = max((row.get("updated_at", 0) for row in rows or ()), default="-Infinity")
            return _table(["n", "newest"], [[len(rows or ()), newest]])
        if not rows:
            return _table(["n", "first", "last"], [[0, "Infinity", "-Infinity"]]) if "COUNT" in sql else _table([], [])
        starts = [row["window_start"] for row in rows]
        if "MIN(" in sql:
            return _table(["n", "first", "last"], [[len(rows), min(starts), max(starts)]])
        low, high = map(int, re.findall(r"window_start >?<?=? ?(\d+)", sql) or (-(1 << 63), 1 << 63))
        if "COUNT(*)" in sql:
            return _table(["n"], [[sum(low <= start < high for start in starts)]])
        names = sql[len("SELECT ") : sql.index(" FROM")].split(", ")
        found = [[row[n] for n in names] for row in rows if low <= row["window_start"] < high]
        return _table(names, found[: int(sql.rpartition("LIMIT ")[2])])

    def _schema(self, request: httpx.Request, name: str, _: str) -> httpx.Response:
        match request.method:
            case "GET":
                found = self.schemas.get(name)
                return httpx.Response(200, json=found) if found else httpx.Response(404, json={"error": "not found"})
            case "DELETE":
                return httpx.Response(200 if self.schemas.pop(name, None) else 404, json={})
        schema = json.loads(request.content)
        if request.method == "POST" and schema["schemaName"] in self.schemas:
            return httpx.Response(409, json={"code": 409, "error": "Schema already exists. Use PUT"})
        self.schemas[schema["schemaName"]] = schema
        return httpx.Response(200, json={"status": "successfully added"})

    def _table(self, request: httpx.Request, name: str, view: str) -> httpx.Response:
        if view in ("externalview", "idealstate"):
            if self.lingering:
                self.lingering -= 1
                return httpx.Response(200, json={"REALTIME": {"segment__0": {}}})
            return httpx.Response(404, json={"error": "no such table"})
        if view == "consumingSegmentsInfo":
            return httpx.Response(200, json={"_segmentToConsumingInfoMap": self._segments(name)})
        match request.method:
            case "GET":
                # 0.11 answers a missing table with an empty object, and a table's name with its type appended
                found = self.tables.get(name)
                return httpx.Response(
                    200, json={"REALTIME": {**found, "tableName": f"{name}_REALTIME"}} if found else {}
                )
            case "DELETE":
                if self.tables.pop(name, None) is None:
                    return httpx.Response(404, json={})
                self._deleted[name] = time.monotonic()
                return httpx.Response(200, json={})
        table = json.loads(request.content)
        name = table["tableName"]
        if request.method == "POST":
            if name in self.tables:
                return httpx.Response(409, json={"code": 409, "error": f"Table {name}_REALTIME already exists"})
            if self._topic(table) not in self.kafka.existing:
                return httpx.Response(500, json={"code": 500, "error": "Failed to fetch partitions of the topic"})
        if time.monotonic() - self._deleted.get(name, float("-inf")) < NOTICED.total_seconds() / 2:
            self._dropped.add(name)
        else:
            self._dropped.discard(name)
        self.tables[name] = table
        return httpx.Response(200, json={"status": "ok"})

    def _segments(self, name: str) -> Json:
        if name not in self.tables or name in self._dropped:
            return {}
        return {
            f"{name}__{partition}__0": [
                {
                    "consumerState": "CONSUMING",
                    "partitionOffsetInfo": {"currentOffsetsMap": {str(partition): str(self.offsets.get(name, 0))}},
                }
            ]
            for partition in range(self.consuming)
        }

    @staticmethod
    def _topic(table: Json) -> str:
        stream = table["ingestionConfig"]["streamIngestionConfig"]["streamConfigMaps"][0]
        return str(stream["stream.kafka.topic.name"])


def _table(names: list[str], rows: list[list[Any]]) -> Json:
    return {"resultTable": {"dataSchema": {"columnNames": names}, "rows": rows}}


class World:
    """All four, and real clients in front of them, whose ``patience`` it is."""

    def __init__(self, patience: timedelta = PATIENCE) -> None:
        self.settings = Settings(
            poll_interval=FAST,
            step_timeout=patience,
            look_timeout=PATIENCE,
            look_again=timedelta(0),
            # nobody looks but those who are asked to: what is scripted is for them
            watch_interval=timedelta(hours=1),
            watch_idle_interval=timedelta(hours=1),
            verify_settle=timedelta(0),
        )
        self.kafka = FakeKafka()
        self.connect = FakeConnect()
        self.pinot = FakePinot(self.kafka)
        self.ksql = FakeKsql(self._make_topic)
        waiting = {"patience": patience, "poll_interval": FAST}
        controller, broker = _client("pinot:9000", self.pinot), _client("pinot:8099", self.pinot)
        self.servers = Servers(
            kafka=self.kafka,
            connect=ConnectClient(_client("connect", self.connect), **waiting),
            ksql=KsqlClient(_client("ksql", self.ksql), **waiting),
            pinot=PinotClient(controller, broker, **waiting, notice_interval=NOTICED),
        )

    async def _make_topic(self, name: str, partitions: int, replicas: int) -> None:
        await self.kafka.create(name, partitions, replicas, {})


def _client(host: str, handler: Any) -> httpx.AsyncClient:
    return create_client(f"http://{host}", transport=httpx.MockTransport(handler))
