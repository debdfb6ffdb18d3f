"""The collector over HTTP with its real journal, and no Kafka: what it accepts waits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from services.collector.app import create_app
from services.collector.journal import Entry
from services.collector.service import Collector
from services.collector.settings import Settings

#: nobody listens there
NO_KAFKA = "127.0.0.1:1"


@asynccontextmanager
async def collector(folder: Path, **settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Collector]]:
    app = create_app(Settings(journal=folder / "journal", kafka_bootstrap=NO_KAFKA, **settings))
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8004") as client,
    ):
        yield client, app.state.collector


def event(**more: Any) -> dict[str, Any]:
    return {"id": uuid4().hex, "session": "visit-0001", "url": "https://shop.example/lamps"} | more


def entries(service: Collector) -> list[Entry]:
    return service.journal.read(0, 10_000)


async def test_one_event_and_a_batch_are_accepted_and_written(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, service):
        one = await client.post("/collect", json=event())
        assert (one.status_code, one.json()["accepted"]) == (202, 1)
        beacon = await client.post(
            "/collect",
            content=json.dumps([event(), event(session="visit-0002")]),
            headers={"content-type": "text/plain;charset=UTF-8"},
        )
        assert beacon.json()["accepted"] == 2
        written = entries(service)
        status = (await client.get("/collect/status")).json()

    assert [len(entry.records) for entry in written] == [2, 1, 2], "the first event of a session brings a login"
    assert [entry.records[0][0] for entry in written] == [
        "topic2_UserSession",
        "topic1_PageView",
        "topic2_UserSession",
    ]
    assert (status["accepted"], status["waiting"], status["published"]) == (3, 3, 0)


async def test_a_retry_is_counted_once_also_after_a_restart(tmp_path: Path) -> None:
    again = event()
    async with collector(tmp_path) as (client, _):
        first = (await client.post("/collect", json=[again, again])).json()
        second = (await client.post("/collect", json=again)).json()
    async with collector(tmp_path) as (client, service):
        third = (await client.post("/collect", json=again)).json()
        assert len(entries(service)) == 1

    assert [(a["accepted"], a["duplicates"]) for a in (first, second, third)] == [(2, 1), (1, 1), (1, 1)]


async def test_each_rejected_event_has_its_index_and_reason_and_the_others_are_taken(tmp_path: Path) -> None:
    batch = [event(), event(id="short"), 7, event(url="javascript:x"), {}, event(user="7"), event(user=0), event()]
    async with collector(tmp_path) as (client, service):
        answer = await client.post("/collect", json=batch)
        assert sum(1 for entry in entries(service) if entry.session) == 2

    body = answer.json()
    assert (answer.status_code, body["accepted"]) == (202, 2)
    assert [r["index"] for r in body["rejected"]] == [1, 2, 3, 4, 5, 6]
    assert all(r["reason"] for r in body["rejected"])


async def test_what_is_no_batch_is_a_problem(tmp_path: Path) -> None:
    async with collector(tmp_path, max_batch_events=3) as (client, _):
        broken = await client.post("/collect", content=b"{", headers={"content-type": "application/json"})
        text = await client.post("/collect", json="hello")
        large = await client.post("/collect", json=[event() for _ in range(4)])

    assert [r.status_code for r in (broken, text, large)] == [400, 400, 413]
    assert all(r.headers["content-type"] == "application/problem+json" for r in (broken, text, large))


async def test_nothing_is_kept_of_visitors_that_object(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, service):
        for header in ({"DNT": "1"}, {"Sec-GPC": "1"}):
            answer = await client.post("/collect", json=event(), headers=header)
            assert answer.json() | {"rejected": []} == {
                "accepted": 0,
                "duplicates": 0,
                "ignored": "do-not-track",
                "rejected": [],
            }
        assert entries(service) == []


async def test_neither_address_nor_agent_nor_query_is_written(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, _):
        await client.post(
            "/collect",
            json=event(
                url="https://shop.example/lamps?mail=me@shop.example", referrer="https://search.example/?q=secret"
            ),
            headers={"User-Agent": "Agent-Of-Mine", "X-Forwarded-For": "203.0.113.9"},
        )
    written = b"".join(path.read_bytes() for path in sorted((tmp_path / "journal").iterdir()))

    for private in (b"Agent-Of-Mine", b"203.0.113.9", b"127.0.0.1", b"me@shop", b"secret"):
        assert private not in written


async def test_a_forgotten_user_is_anonymous_from_then_on_also_after_a_restart(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, service):
        await client.post("/collect", json=event(user=42))
        answer = await client.delete("/collect/users/42")
        assert answer.status_code == 202
        await client.post("/collect", json=event(user=42))
        before, erased, after = entries(service)
    async with collector(tmp_path) as (client, service):
        await client.post("/collect", json=event(user=42))
        restarted = entries(service)[-1]

    users = [json.loads(e.records[-1][2] or "")["user_id"] for e in (before, after, restarted)]
    assert users[0] == 42
    assert users[1] < 0
    assert users[2] < 0
    assert erased.records[0] == ("topic3_Users", (42).to_bytes(4, "big").decode("latin-1"), None)


async def test_a_full_journal_answers_503_and_when_to_retry(tmp_path: Path) -> None:
    async with collector(tmp_path, journal_max_bytes=64 * 1024) as (client, service):
        answers = [await client.post("/collect", json=[event() for _ in range(100)]) for _ in range(5)]
        refused = next(a for a in answers if a.status_code == 503)
        assert refused.json()["type"] == "journal-full"
        assert int(refused.headers["Retry-After"]) > 0
        acknowledged = sum(a.json()["accepted"] for a in answers if a.status_code == 202)
        assert 0 < acknowledged <= len(entries(service))


async def test_one_address_cannot_send_without_end(tmp_path: Path) -> None:
    async with collector(tmp_path, client_events_per_minute=10) as (client, _):
        assert (await client.post("/collect", json=[event() for _ in range(10)])).status_code == 202
        refused = await client.post("/collect", json=[event() for _ in range(5)])

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


async def test_event_time_is_the_receipt_less_the_clients_delay_an_hour_at_most(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, service):
        for delay in (0, 60_000, 10**12):
            await client.post("/collect", json=event(delay_ms=delay))
        found = [entry.at_ms - json.loads(entry.records[-1][2] or "")["event_timestamp"] for entry in entries(service)]

    assert found == [0, 60_000, 3_600_000]


async def test_an_image_counts_a_view_where_there_is_no_script(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, service):
        answer = await client.get("/collect.gif", headers={"Referer": "http://localhost:8004/shop/"})
        (entry,) = entries(service)

    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(entry.records[-1][2] or "")["page"] == "/shop"


async def test_pages_of_this_machine_may_send_and_others_must_be_named(tmp_path: Path) -> None:
    def browser(origin: str) -> dict[str, str]:
        return {
            "Origin": origin,
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "cors",
            "Content-Type": "text/plain",
        }

    body = json.dumps(event())
    async with collector(tmp_path) as (client, _):
        near = await client.post("/collect", content=body, headers=browser("http://localhost:3000"))
        far = await client.post("/collect", content=body, headers=browser("https://shop.example"))
    async with collector(tmp_path / "b", allowed_origins="https://shop.example") as (client, _):
        named = await client.post("/collect", content=body, headers=browser("https://shop.example"))
        asked = await client.options(
            "/collect",
            headers=browser("https://shop.example")
            | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"},
        )
        image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Referer": "https://shop.example/a"}
        seen = await client.get("/collect.gif", headers=image)
        unseen = await client.get("/collect.gif", headers=image | {"Referer": "https://evil.example/"})
        script = await client.get("/pagepulse.js", headers=image | {"Referer": "https://evil.example/"})

    assert [r.status_code for r in (near, far, named, seen, unseen, script)] == [202, 403, 202, 200, 403, 200]
    assert near.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert named.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in far.headers
    assert asked.status_code == 200


async def test_only_operators_may_erase_where_there_is_a_token(tmp_path: Path) -> None:
    async with collector(tmp_path, api_token=SecretStr("secret")) as (client, _):
        assert (await client.delete("/collect/users/1")).status_code == 401
        assert (await client.get("/collect/status")).status_code == 401
        assert (await client.post("/collect", json=event())).status_code == 202
        with_token = await client.delete("/collect/users/1", headers={"Authorization": "Bearer secret"})
        assert with_token.status_code == 202


async def test_the_shop_and_the_tracker_are_served_and_nothing_else(tmp_path: Path) -> None:
    async with collector(tmp_path) as (client, _):
        pages = [await client.get(path) for path in ("/shop/", "/shop/lamps.html", "/shop/shop.css", "/pagepulse.js")]
        missing = [
            await client.get(path) for path in ("/shop/none.html", "/shop/../pagepulse.js", "/shop/%2e%2e/app.py")
        ]
        ready = await client.get("/readyz")

    assert [p.status_code for p in pages] == [200] * 4
    assert "<title>Lamps · Lamp" in pages[1].text and "<h2>" in pages[1].text
    assert [m.status_code for m in missing[:1] + missing[2:]] == [404, 404]
    assert (ready.status_code, "kafka" in ready.json()["checks"]) == (503, True)
