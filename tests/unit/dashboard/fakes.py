"""Fakes at the dashboard's seams: a Pinot connection that answers from dictionaries, and services over MockTransport."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pandas as pd

from services.dashboard.backend import Backend
from services.dashboard.client import ControlPlane, Peer
from services.dashboard.queries import Warehouse
from services.dashboard.settings import Settings
from services.dashboard.stale_cache import StaleCache

MINUTE = 60_000
COLUMNS = {
    "pageview_country": ["country", "window_start", "window_end", "view_count", "user_count", "average_age"],
    "pageview_tumbling": ["source", "window_start", "window_end", "view_count", "user_count"],
    "pageview_hopping": ["source", "window_start", "window_end", "view_count", "user_count"],
    "pageview_session": ["source", "window_start", "window_end", "view_count", "user_count", "updated_at"],
    "usersession_device": ["device", "window_start", "window_end", "session_count", "user_count"],
    "pageview_page": ["page", "window_start", "window_end", "view_count", "user_count"],
}
PIPELINE: dict[str, Any] = {
    "ready": True,
    "state": "ready",
    "freshness_ms": 320,
    "resources": [
        {"kind": "topic", "name": "topic1_PageView", "state": "ok", "detail": "", "facts": {"rate_per_s": 180.2}},
        {"kind": "topic", "name": "topic3_Users", "state": "ok", "detail": "", "facts": {"rate_per_s": 0.5}},
        {"kind": "topic", "name": "topic6_PageView_Tumbling", "state": "ok", "detail": "", "facts": {}},
        {"kind": "connector", "name": "users-source", "state": "ok", "detail": "", "facts": {}},
        {
            "kind": "query",
            "name": "pageview_tumbling",
            "state": "ok",
            "detail": "",
            "facts": {
                "topic": "topic6_PageView_Tumbling",
                "reads": ["topic1_PageView"],
                "lag": 3,
                "dropped": 0,
                "rate_per_s": 180.4,
                "written_per_s": 3.0,
            },
        },
        {
            "kind": "pinot_table",
            "name": "pageview_tumbling",
            "state": "ok",
            "detail": "",
            "facts": {"topic": "topic6_PageView_Tumbling", "offset_lag": 0, "rate_per_s": 3.0},
        },
    ],
}
PROFILES: dict[str, Any] = {
    "profiles": [
        {"kind": "constant", "summary": "The rate as it is.", "parameters": {"properties": {"kind": {}}}},
        {
            "kind": "ramp",
            "summary": "To another rate.",
            "parameters": {
                "properties": {
                    "kind": {},
                    "to_rate": {"type": "number", "minimum": 0, "maximum": 1_000_000, "examples": [2000]},
                    "over_s": {"type": "number", "exclusiveMinimum": 0, "examples": [60]},
                }
            },
        },
    ]
}


class Pinot:
    """A broker that answers by table name. Once ``failure`` is set it is raised, or answered as an error code of Pinot's; ``asked`` keeps
    every statement with its values."""

    def __init__(self, tables: Mapping[str, Sequence[Sequence[Any]]] | None = None) -> None:
        self.tables = dict(tables or {})
        self.failure: Exception | int | None = None
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def warehouse(self) -> Warehouse:
        return Warehouse(httpx.Client(base_url="http://pinot", transport=httpx.MockTransport(self.handle)))

    def handle(self, request: httpx.Request) -> httpx.Response:
        sql = json.loads(request.content)["sql"]
        values = parameters(sql)
        self.asked.append((sql, values))
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return httpx.Response(200, json={"exceptions": [{"errorCode": self.failure, "message": "refused"}]})
        found = re.search(r"FROM (\w+)", sql)
        assert found is not None
        names, rows = self._result(sql, found[1], values)
        table = {"dataSchema": {"columnNames": names}, "rows": rows}
        # as Pinot: where no segment can have rows there is no table of results
        return httpx.Response(200, json={"exceptions": [], "resultTable": table if rows else None})

    def _result(self, sql: str, table: str, values: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        rows, column = [list(row) for row in self.tables.get(table, [])], COLUMNS[table]
        if "interval_start" in sql:
            return coarse(column, rows, values)
        if "GROUP BY page" in sql:
            frame = pd.DataFrame(rows, columns=column).groupby("page", as_index=False)
            sums = frame.agg(
                views=("view_count", "sum"), first_start=("window_start", "min"), last_end=("window_end", "max")
            )
            return list(sums.columns), sums.astype({"views": float}).to_numpy().tolist()
        if "SUM(" in sql:
            return ["total"], [[float(sum(row[3] for row in rows))]]
        if "MAX(" in sql:
            return ["newest_event"], [[float(max(row[2] for row in rows)) if rows else "-Infinity"]]
        return column, rows


def parameters(sql: str) -> dict[str, Any]:
    """The values in a statement, by the names of its parameters."""
    numbers = {"since": r">= (\d+)", "until": r"< (\d+)", "limit": r"LIMIT (\d+)", "interval": r"MOD\(\w+, (\d+)\)"}
    numbers["windows"] = r"\) / (\d+)"
    found = {name: re.search(pattern, sql) for name, pattern in numbers.items()}
    values: dict[str, Any] = {name: int(match[1]) for name, match in found.items() if match}
    if names := re.search(r"IN \((.*)\)", sql):
        values["countries"] = re.findall(r"'((?:[^']|'')*)'", names[1])
    return values if values.get("limit") != 1 else {name: values[name] for name in ("since", "until")}


def coarse(column: list[str], rows: list[list[Any]], values: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Means over intervals, as sql/*_coarse.sql ask for them."""
    frame = pd.DataFrame(rows, columns=column).drop(columns="window_end")
    frame = frame[frame["window_start"].between(values["since"], values["until"], inclusive="left")]
    frame["window_start"] -= frame["window_start"] % values["interval"]
    sums = frame.groupby([column[0], "window_start"], as_index=False).sum() if len(frame) else frame
    sums[column[3:]] = sums[column[3:]] / values["windows"]
    return [column[0], "interval_start", *column[3:]], sums.to_numpy().tolist()


class Services:
    """Generator, seeder and provisioner in one handler; ``calls`` are the requests that change something."""

    def __init__(self) -> None:
        self.generator: dict[str, Any] = {
            "state": "stopped",
            "target_rate": None,
            "achieved_rate": {"last_1s": 0.0, "last_10s": 0.0, "overall": 0.0},
            "acknowledged": 0,
            "failed": {},
            "ack_latency_ms": {"p50": None, "p95": None, "p99": None},
            "made": {"page_views": 0, "user_sessions": 0, "late": 0, "duplicate": 0, "malformed": 0},
            "profile": None,
        }
        self.pipeline: dict[str, Any] = {**PIPELINE}
        self.collector: dict[str, Any] = {"accepted": 12, "rejected": {"url": 2, "id": 1}, "last_error": None}
        self.users = 1000
        self.tiers: dict[str, int] = {"free": 700, "premium": 300}
        self.mutations: dict[str, Any] | None = None
        self.calls: list[tuple[str, str, Any]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.unavailable: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.table: dict[str, Any] = {"columns": ["a", "a"], "rows": [[1, "x"]]}
        self.job: dict[str, Any] | None = None
        self.last_audit: dict[str, Any] | None = None
        self.refuse: str | None = None

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.split("/")[1] in self.unavailable:
            raise httpx.ConnectError("connection refused", request=request)
        if request.method == "GET":
            self.asked.append((path, dict(request.url.params)))
            return httpx.Response(200, json=self._read(path))
        body = httpx.Response(200, content=request.content).json() if request.content else None
        if path == "/generator/profiles/preview":
            assert body is not None
            rate = float(body["rate"])
            return httpx.Response(
                200, json={"points": [{"seconds": 0, "rate": rate}, {"seconds": 60, "rate": rate * 2}]}
            )
        self.calls.append((request.method, path, body))
        if self.refuse is not None:
            return httpx.Response(409, json={"type": "conflict", "status": 409, "detail": self.refuse})
        return httpx.Response(200, json=self._act(path, body or {}))

    def _read(self, path: str) -> dict[str, Any]:
        if path.endswith("/records"):
            bounds = [{"partition": 0, "begin": 0, "end": 40}, {"partition": 1, "begin": 0, "end": 2}]
            return {"records": self.records, "partitions": bounds, "scanned": 42, "complete": True}
        answers: dict[str, dict[str, Any]] = {
            "/generator/changes": {"events": self.events},
            "/provisioner/events": {"events": []},
            "/provisioner/verify": {"running": False, "last": self.last_audit},
            "/generator/status": self.generator,
            "/generator/profiles": PROFILES,
            "/seeder/status": {"users": self.users, "with_nulls": 50, "job": self.job, "mutations": self.mutations},
            "/seeder/stats": {"by_subscription": self.tiers},
            "/provisioner/status": self.pipeline,
            "/collect/status": self.collector,
        }
        return answers[path]

    def _act(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        states = {"start": "running", "resume": "running", "stop": "stopped", "pause": "paused"}
        state = states.get(path.rsplit("/", 1)[-1])
        if path.startswith("/generator/"):
            if state is not None:
                self.generator["state"] = state
            if "rate" in body:
                self.generator["target_rate"] = body["rate"]
            return self.generator
        if path == "/provisioner/sql":
            return {**self.table, "cut": False, "took_ms": 12.0, "sql": body["sql"]}
        if path == "/seeder/seed":
            return {"job": {"id": "j1", "state": "running", "total": body["count"]}}
        if path == "/provisioner/verify":
            table = {"table": "pageview_country", "side": "pinot", "compared": 9, "equal": 9, "late": 0}
            return {"ok": True, "took_ms": 800, "records": {"topic1_PageView": 60}, "tables": [table]}
        return {"kind": "apply", "state": "running"}


def backend(pinot: Pinot, services: Services) -> Backend:
    """A backend over the fakes; every reading is asked for anew."""
    transport = httpx.MockTransport(services.handle)

    def peer(service: str) -> Peer:
        second = timedelta(seconds=1)
        return Peer(service, f"http://{service}", timeout=second, action_timeout=second, transport=transport)

    control = ControlPlane(peer("generator"), peer("seeder"), peer("provisioner"), peer("collect"))
    return Backend(Settings(), control, pinot.warehouse(), StaleCache())


def flowing(now_ms: int | None = None) -> dict[str, list[list[Any]]]:
    """Tables of a pipeline in which data flows: two complete windows and the open one of each kind."""
    now = now_ms or int(time.time() * 1000)
    minute, five = now // MINUTE * MINUTE, now // (5 * MINUTE) * 5 * MINUTE
    minutes = [minute - 2 * MINUTE, minute - MINUTE, minute]
    fives = [five - 10 * MINUTE, five - 5 * MINUTE, five]
    sources = {"Homepage": 30, "Inbox": 20, "External": 10}
    return {
        "pageview_country": [
            [country, start, start + 5 * MINUTE, users * 4, users, 30.5 + users / 10]
            for start in fives
            for country, users in (("Thailand", 7), ("Germany", 5), ("Atlantis", 1))
        ],
        "pageview_tumbling": [
            [source, start, start + MINUTE, users * 3, users] for start in minutes for source, users in sources.items()
        ],
        "pageview_hopping": [
            [source, start - 4 * MINUTE, start + MINUTE, users * 9, users]
            for start in minutes
            for source, users in sources.items()
        ],
        "pageview_session": [
            ["Homepage", now - 120_000, now - 60_000, 90, 30, now - 60_000],
            ["Homepage", now - 20_000, now - 1_000, 40, 20, now - 1_000],
            ["Inbox", now - 100_000, now - 80_000, 25, 9, now - 80_000],
        ],
        "usersession_device": [
            [device, start, start + MINUTE, sessions, sessions - 1]
            for start in minutes
            for device, sessions in (("Mobile", 12), ("Desktop", 6), ("Tablet", 2))
        ],
        "pageview_page": [
            [page, start, start + 5 * MINUTE, views, views // 2]
            for start in fives
            for page, views in (("/", 40), ("/cart", 20), ("/about", 3))
        ],
    }


def windows(rows: Sequence[Sequence[Any]], columns: Sequence[str], now_ms: int) -> pd.DataFrame:
    """A frame as the queries make it, from rows in epoch milliseconds."""
    frame = pd.DataFrame([list(row) for row in rows], columns=list(columns))
    frame["open"] = frame["window_end"] > now_ms
    for name in ("window_start", "window_end"):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True)
    return frame
