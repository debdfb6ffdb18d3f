"""The generator over HTTP, with a Kafka in memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.errors import OutOfOrderSequenceNumber
from asgi_lifespan import LifespanManager

from services.generator.app import create_app
from services.generator.schemas import State
from services.generator.settings import Settings
from shared.json import loads
from tests.patience import STEP_S, eventually
from tests.unit.generator.fakes import FakeBroker, seeder

SETTINGS = Settings()


@asynccontextmanager
async def generator(
    broker: FakeBroker, *, users: int = 100, transport: httpx.AsyncBaseTransport | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(**settings), broker, transport or seeder(users))
    async with (
        LifespanManager(app, startup_timeout=STEP_S, shutdown_timeout=STEP_S),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        yield client


async def status_of(client: httpx.AsyncClient) -> dict[str, Any]:
    return dict(await ok(client.get("/generator/status")))


async def sent(client: httpx.AsyncClient, events: int) -> bool:
    return bool((await status_of(client))["sent"] > events)


async def until_stopped(client: httpx.AsyncClient) -> None:
    async def stopped() -> bool:
        return bool((await status_of(client))["state"] == State.STOPPED)

    await eventually(stopped, "the run has ended")


async def ok(response: Awaitable[httpx.Response]) -> Any:
    answer = await response
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_run_from_start_to_stop_accounts_for_every_event() -> None:
    broker = FakeBroker()
    async with generator(broker) as client:
        assert (await ok(client.get("/generator/status")))["state"] == "stopped"
        started = await ok(client.post("/generator/start", json={"rate": 1000}))
        assert (started["state"], started["target_rate"], started["users"]) == ("running", 1000, 100)

        async def enough() -> bool:
            return bool((await status_of(client))["acknowledged"] >= 300)

        await eventually(enough, "300 acknowledged events")
        final = await ok(client.post("/generator/stop"))

    assert final["state"] == "stopped"
    assert final["sent"] == final["acknowledged"] == len(broker.log)
    assert final["made"]["page_views"] + final["made"]["user_sessions"] == final["sent"]
    assert final["failed"] == {}
    assert final["in_flight"] == 0
    assert broker.producers[0].stopped
    sessions = {event["session_id"] for event in broker.values(SETTINGS.user_session_topic)}
    views = broker.values(SETTINGS.page_view_topic)
    assert views
    assert {event["session_id"] for event in views} <= sessions


async def test_starting_twice_is_a_conflict_that_shows_the_present_state() -> None:
    async with generator(FakeBroker()) as client:
        await ok(client.post("/generator/start", json={"rate": 50}))
        again = await client.post("/generator/start", json={"rate": 60})

        assert again.status_code == 409
        problem = again.json()
        assert problem["type"] == "conflict"
        assert problem["current_status"]["state"] == "running"
        assert problem["current_status"]["target_rate"] == 50


async def test_no_users_says_to_seed_first() -> None:
    async with generator(FakeBroker(), users=0) as client:
        answer = await client.post("/generator/start", json={"rate": 50})

    assert answer.status_code == 409
    assert answer.json()["type"] == "no-users"
    assert "/seeder/seed" in answer.json()["detail"]


async def test_missing_topics_say_to_apply_the_provisioner_first() -> None:
    broker = FakeBroker(topics=[SETTINGS.page_view_topic])
    async with generator(broker) as client:
        answer = await client.post("/generator/start", json={"rate": 50})

    assert answer.status_code == 409
    assert answer.json()["topics"] == [SETTINGS.user_session_topic]
    assert "provisioner" in answer.json()["detail"]
    assert broker.producers[0].stopped


async def test_an_absent_kafka_and_an_absent_seeder_are_unavailable() -> None:
    async with generator(FakeBroker(unavailable=True)) as client:
        kafka = await client.post("/generator/start", json={"rate": 50})
        assert (await ok(client.get("/generator/status")))["state"] == "stopped"

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with generator(FakeBroker(), transport=httpx.MockTransport(refuse)) as client:
        seed = await client.post("/generator/start", json={"rate": 50})

    assert (kafka.status_code, kafka.json()["service"]) == (503, "kafka")
    assert (seed.status_code, seed.json()["service"]) == (503, "seeder")


async def test_stop_and_steering_while_stopped() -> None:
    async with generator(FakeBroker()) as client:
        assert (await ok(client.post("/generator/stop")))["state"] == "stopped"
        for call in (
            client.put("/generator/rate", json={"rate": 5}),
            client.put("/generator/profile", json={"profile": {"kind": "poisson"}}),
            client.post("/generator/pause"),
            client.post("/generator/resume"),
        ):
            assert (await call).status_code == 409


async def test_the_rate_follows_at_once() -> None:
    broker = FakeBroker()
    async with generator(broker) as client:
        await ok(client.post("/generator/start", json={"rate": 10}))
        changed = await ok(client.put("/generator/rate", json={"rate": 2000}))
        assert changed["target_rate"] == 2000

        # The old rate would need five minutes for so many.
        await eventually(lambda: len(broker.log) > 3_000, "events at the new rate")


async def test_a_pause_makes_no_events_and_resume_goes_on() -> None:
    broker = FakeBroker()
    async with generator(broker) as client:
        await ok(client.post("/generator/start", json={"rate": 500}))
        assert (await ok(client.post("/generator/pause")))["state"] == "paused"

        async def quiet() -> bool:
            return bool((await status_of(client))["in_flight"] == 0)

        await eventually(quiet, "nothing in flight")
        before = len(broker.log)
        uptime_s = float((await status_of(client))["uptime_s"])

        async def much_later() -> bool:
            return float((await status_of(client))["uptime_s"]) > uptime_s + 0.3

        await eventually(much_later, "the time in which 150 events would have been made")
        assert len(broker.log) == before

        resumed = time.monotonic()  # before the request: the run may go on before its answer is read
        assert (await ok(client.post("/generator/resume")))["state"] == "running"
        await eventually(lambda: len(broker.log) > before, "events again")
        assert len(broker.log) - before < 500 * (time.monotonic() - resumed) + 50
        await ok(client.post("/generator/pause"))
        assert (await ok(client.post("/generator/stop")))["state"] == "stopped"


async def test_max_events_and_duration_end_the_run_exactly() -> None:
    broker = FakeBroker()
    async with generator(broker) as client:
        await ok(client.post("/generator/start", json={"rate": 5000, "max_events": 777}))
        await until_stopped(client)
        assert len(broker.log) == 777

        broker.log.clear()
        await ok(client.post("/generator/start", json={"rate": 1000, "duration_s": 0.5}))
        await until_stopped(client)
        assert len(broker.log) == 500


async def test_the_same_seed_gives_the_same_sequence() -> None:
    request = {"rate": 2000, "max_events": 600, "seed": 5, "duplicate_fraction": 0.05, "profile": {"kind": "poisson"}}
    runs = []
    for _ in range(2):
        broker = FakeBroker()
        async with generator(broker) as client:
            await ok(client.post("/generator/start", json=request))
            await until_stopped(client)
        runs.append(Counter(timeless(record[3]) for record in broker.log))

    assert runs[0] == runs[1]
    assert sum(runs[0].values()) == 600


def timeless(value: bytes) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((k, v) for k, v in loads(value).items() if not k.endswith("timestamp")))


async def test_full_speed_is_bounded_by_what_is_in_flight() -> None:
    broker = FakeBroker()
    broker.open.clear()
    async with generator(broker, max_in_flight=5_000) as client:
        await ok(client.post("/generator/start", json={"rate": 0}))

        async def held_back() -> bool:
            status = await status_of(client)
            assert status["in_flight"] <= 5_000 + 5_000
            return bool(status["backpressured_s"] > 0.3)

        await eventually(held_back, "production waits")
        broker.open.set()
        await eventually(lambda: len(broker.log) > 5_000, "production goes on")
        final = await ok(client.post("/generator/stop"))

    assert final["sent"] == final["acknowledged"] == len(broker.log) > 5_000


async def test_a_failed_batch_is_counted_by_cause_and_the_producer_replaced() -> None:
    broker = FakeBroker()
    broker.failures.append(OutOfOrderSequenceNumber("gap"))
    async with generator(broker) as client:
        await ok(client.post("/generator/start", json={"rate": 1000}))

        await eventually(lambda: len(broker.producers) > 1, "a new producer")
        before = len(broker.log)
        await eventually(lambda: len(broker.log) > before + 100, "events from the new producer")
        final = await ok(client.post("/generator/stop"))

    assert set(final["failed"]) == {"OutOfOrderSequenceNumber"}
    assert final["sent"] == final["acknowledged"] + sum(final["failed"].values())
    assert final["acknowledged"] == len(broker.log)
    assert final["last_error"]


async def test_what_kafka_never_acknowledges_counts_as_failed() -> None:
    broker = FakeBroker()
    broker.open.clear()
    async with generator(broker, flush_deadline=timedelta(milliseconds=100)) as client:
        await ok(client.post("/generator/start", json={"rate": 1000}))
        await eventually(partial(sent, client, 100), "events on their way")
        final = await ok(client.post("/generator/stop"))
        broker.open.set()

    assert final["acknowledged"] == 0
    assert final["sent"] == sum(final["failed"].values()) > 0


async def test_a_shutdown_flushes() -> None:
    broker = FakeBroker()
    async with generator(broker) as client:
        await ok(client.post("/generator/start", json={"rate": 1000}))
        await eventually(partial(sent, client, 100), "events on their way")
        metrics = (await client.get("/metrics")).text

    assert len(broker.log) > 100
    assert 'pagepulse_generator_state{state="running"} 1.0' in metrics
    assert "pagepulse_generator_ack_latency_seconds_bucket" in metrics
    assert "pagepulse_generator_events_total" in metrics


async def test_a_profile_can_be_set_while_running() -> None:
    async with generator(FakeBroker()) as client:
        await ok(client.post("/generator/start", json={"rate": 100}))
        status = await ok(
            client.put("/generator/profile", json={"profile": {"kind": "spike", "factor": 5, "after_s": 0}})
        )

        assert status["profile"]["kind"] == "spike"
        assert status["target_rate"] == pytest.approx(500)
        replay = await client.put("/generator/profile", json={"profile": {"kind": "replay", "file": "x"}})
        assert replay.status_code == 422


async def test_a_recording_is_replayed_to_its_end(tmp_path: Path) -> None:
    broker = FakeBroker()
    lines = [
        f'{{"session_id":"s{i}","user_id":{i},"source":"Inbox","event_timestamp":{1000 + 10 * i}}}' for i in range(20)
    ]
    (tmp_path / "short.ndjson").write_text("\n".join(lines))
    async with generator(broker, recordings=tmp_path) as client:
        profile = {"kind": "replay", "file": "short.ndjson", "speed": 4}
        status = await ok(client.post("/generator/start", json={"rate": 1, "profile": profile}))
        assert status["target_rate"] is None
        assert (await client.put("/generator/rate", json={"rate": 3})).status_code == 409

        await until_stopped(client)
        missing = await client.post(
            "/generator/start", json={"rate": 1, "profile": {"kind": "replay", "file": "none.ndjson"}}
        )

    assert [key.decode() for _, _, key, _ in sorted(broker.log, key=lambda r: int(r[2][1:]))] == [
        f"s{i}" for i in range(20)
    ]
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"rate": -1},
        {"rate": 0.01},
        {"rate": 2_000_000},
        {"rate": 10, "sources": {"Homepage": 0}},
        {"rate": 10, "devices": {}},
        {"rate": 10, "late_fraction": 1.6},
        {"rate": 10, "sources": {"Elsewhere": 1}},
        {"rate": 10, "speed": 3},
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_problem(body: dict[str, object]) -> None:
    async with generator(FakeBroker()) as client:
        answer = await client.post("/generator/start", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]


async def test_the_status_streams_as_server_sent_events() -> None:
    async with generator(FakeBroker()) as client:
        answer = await client.get("/generator/events", params={"interval_s": 0.1, "count": 2})

    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [loads(line[6:])["state"] for line in lines] == ["stopped", "stopped"]


async def test_the_population_is_read_page_by_page_and_can_be_limited() -> None:
    async with generator(FakeBroker(), users=25_000) as client:
        assert (await ok(client.post("/generator/start", json={"rate": 1})))["users"] == 25_000
        await ok(client.post("/generator/stop"))
        assert (await ok(client.post("/generator/start", json={"rate": 1, "users": 12_345})))["users"] == 12_345


async def test_starts_changes_and_stops_are_noted_for_the_time_axis() -> None:
    async with generator(FakeBroker()) as client:
        await ok(client.post("/generator/start", json={"rate": 1000}))
        await ok(client.put("/generator/rate", json={"rate": 2000}))
        await ok(client.put("/generator/profile", json={"profile": {"kind": "sine"}}))
        await ok(client.post("/generator/pause"))
        await ok(client.post("/generator/pause"))  # it is paused already: nothing happened
        await ok(client.post("/generator/resume"))
        await ok(client.post("/generator/stop"))
        events = (await ok(client.get("/generator/changes")))["events"]
        later = (await ok(client.get(f"/generator/changes?since={events[-2]['id']}")))["events"]

    assert [event["kind"] for event in events] == ["start", "rate", "profile", "pause", "resume", "stop"]
    assert events[1]["title"] == "Rate 2,000 events/s"
    assert events[-1]["detail"].startswith("Generator stopped, ")
    ids = [event["id"] for event in events]
    assert ids == sorted(set(ids))
    assert later == events[-1:]


async def test_the_preview_of_a_profile_is_served_and_nonsense_is_refused() -> None:
    async with generator(FakeBroker()) as client:
        wanted = {"profile": {"kind": "ramp", "to_rate": 300, "over_s": 10}, "rate": 100}
        points = (await ok(client.post("/generator/profiles/preview", json=wanted)))["points"]
        refused = [
            (await client.post("/generator/profiles/preview", json={"profile": profile})).status_code
            for profile in ("ramp", {"kind": "tsunami"}, {"kind": "replay", "file": "a"})
        ]

    assert (points[0], points[-1]) == ({"seconds": 0.0, "rate": 100.0}, {"seconds": 12.5, "rate": 300.0})
    assert refused == [422, 422, 422]
