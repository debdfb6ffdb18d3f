"""The provisioner over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager

from services.provisioner.app import create_app
from services.provisioner.pipeline import Servers
from services.provisioner.recompute.compare import Comparison, Example
from services.provisioner.schemas import StatusOut
from services.provisioner.settings import Settings
from services.provisioner.verify.auditor import Auditor
from services.provisioner.verify.report import AuditReport, TableReport
from services.provisioner.watcher import PipelineStatus, Watcher
from tests.patience import STEP_S, eventually
from tests.unit.provisioner.world import World


@asynccontextmanager
async def client_of(settings: Settings, servers: Servers) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, servers)
    async with (
        LifespanManager(app, startup_timeout=STEP_S, shutdown_timeout=STEP_S) as manager,
        httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://localhost") as client,
    ):
        yield client


async def ended(client: httpx.AsyncClient, place: str) -> dict[str, Any]:
    """The job at ``place`` when it is over."""
    found: dict[str, Any] = {}

    async def over() -> bool:
        nonlocal found
        found = (await client.get(place)).json()
        return bool(found["state"] != "running")

    await eventually(over, "the job is over", every_s=0.005)
    return found


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(world.settings, world.servers) as client:
        yield client


async def test_apply_answers_at_once_and_the_run_can_be_followed(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    create = world.kafka.create

    async def held(*arguments: Any) -> None:
        await go_on.wait()
        await create(*arguments)

    # The first step waits here, so that the run is under way when the second request comes.
    monkeypatch.setattr(world.kafka, "create", held)
    answer = await client.post("/provisioner/apply")
    assert answer.status_code == 202
    run = answer.json()
    assert answer.headers["Location"] == f"/provisioner/runs/{run['id']}"
    refused = await client.post("/provisioner/apply")
    assert (refused.status_code, refused.json()["type"]) == (409, "run-in-progress")
    assert refused.json()["run_id"] == run["id"]
    go_on.set()
    run = await ended(client, f"/provisioner/runs/{run['id']}")
    assert run["state"] == "succeeded"
    assert all(step["took_ms"] is not None for step in run["steps"])


async def test_apply_with_wait_answers_the_finished_run(client: httpx.AsyncClient) -> None:
    answer = await client.post("/provisioner/apply?wait=true")
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    status = (await client.get("/provisioner/status")).json()
    assert (status["ready"], status["state"], status["freshness_ms"]) == (True, "ready", None)
    assert status["reason"] == "all 29 resources are ok"
    query = next(r for r in status["resources"] if r["kind"] == "query" and r["name"] == "pageview_tumbling")
    assert query["facts"]["lag"] == 2
    assert (await client.get("/provisioner/plan")).json()["changes"] == 0


async def test_a_plan_counts_what_it_could_not_see_apart(client: httpx.AsyncClient, world: World) -> None:
    await client.post("/provisioner/apply?wait=true")
    world.kafka.down = True
    plan = (await client.get("/provisioner/plan")).json()
    assert (plan["changes"], plan["unseen"]) == (0, 25)


async def test_a_failed_apply_is_a_problem_that_names_the_step(client: httpx.AsyncClient, world: World) -> None:
    world.pinot.script["POST", "/tables"] = [httpx.Response(400, json={"error": "Invalid table config"})] * 9
    answer = await client.post("/provisioner/apply?wait=true")
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (502, "step-failed")
    assert problem["step"].startswith("pinot_table:")
    assert "Invalid table config" in problem["detail"]
    assert (await client.get(f"/provisioner/runs/{problem['run_id']}")).json()["state"] == "failed"


async def test_status_is_an_answer_even_if_everything_is_unavailable(world: World) -> None:
    world.kafka.down = True
    world.connect.script = [httpx.Response(500, text="boom")] * 20
    world.ksql.script = [httpx.ConnectError("refused")] * 20
    settings = world.settings.model_copy(update={"unknown_after": timedelta(0)})
    async with client_of(settings, world.servers) as client:
        answer = await client.get("/provisioner/status?fresh=true")
        assert answer.status_code == 200
        status = StatusOut.model_validate_json(answer.content)
        assert (status.ready, status.state, status.age_ms) == (False, "unknown", None)
        unknown = {r.kind for r in status.resources if r.state == "unknown"}
        assert {"topic", "connector", "stream", "table", "query"} <= unknown


async def test_an_answer_of_an_unknown_form_leaves_the_last_observation(
    client: httpx.AsyncClient, world: World
) -> None:
    await client.post("/provisioner/apply?wait=true")
    world.ksql.script = [httpx.Response(200, json=[{"@type": "sourceDescription"}]), httpx.Response(200, text="<html>")]
    answer = await client.get("/provisioner/status?fresh=true")
    assert answer.status_code == 200
    slow = [r for r in answer.json()["resources"] if r["slow"]]
    assert len(slow) == 2
    assert all(r["state"] == "ok" and "unknown form" in r["detail"] for r in slow)
    assert answer.json()["ready"]


async def test_a_status_asks_no_server_and_is_rendered_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = timedelta(hours=1)
    settings = world.settings.model_copy(update={"watch_interval": hours, "watch_idle_interval": hours})
    async with client_of(settings, world.servers) as client:
        await client.post("/provisioner/apply?wait=true")
        first = (await client.get("/provisioner/status")).json()

        def asked() -> list[int]:
            return [len(world.connect.requests), len(world.ksql.requests), len(world.pinot.requests)]

        before = asked()
        rendered: list[PipelineStatus] = []
        original = StatusOut.of

        def note(status: PipelineStatus) -> StatusOut:
            rendered.append(status)
            return original(status)

        monkeypatch.setattr(StatusOut, "of", note)
        for _ in range(50):
            second = (await client.get("/provisioner/status")).json()
            assert {**second, "age_ms": 0} == {**first, "age_ms": 0}
            assert second["age_ms"] >= first["age_ms"]
        assert (asked(), rendered) == (before, [])
        assert (await client.get("/provisioner/status?fresh=true")).json()["looked_at"] > first["looked_at"]
        assert asked() > before


async def test_a_client_that_samples_makes_no_look_come_earlier(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[PipelineStatus] = []
    original = Watcher.status

    def status(watcher: Watcher) -> PipelineStatus:
        calls.append(original(watcher))
        return calls[-1]

    monkeypatch.setattr(Watcher, "status", status)
    sampled = (await client.get("/provisioner/status?attention=false")).json()
    assert calls == []
    asked = (await client.get("/provisioner/status")).json()
    assert len(calls) == 1
    assert sampled.keys() == asked.keys()


async def test_events_tell_what_changed_and_when(client: httpx.AsyncClient, world: World) -> None:
    await client.post("/provisioner/apply?wait=true")
    events = (await client.get("/provisioner/events")).json()["events"]
    changes = [(event["kind"], event["from"], event["to"]) for event in events]
    assert changes[-1] == ("apply", "running", "succeeded")
    assert ("apply", "", "running") in changes
    assert ("pipeline", "changing", "ready") in changes
    assert {"id", "at", "at_ms", "kind", "title", "detail", "reason", "subject"} <= events[0].keys()
    last = events[-1]["id"]
    assert (await client.get(f"/provisioner/events?since={last}")).json()["events"] == []
    world.connect.config = None
    await client.get("/provisioner/status?fresh=true")
    (event,) = (await client.get(f"/provisioner/events?since={last}")).json()["events"]
    assert (event["title"], event["reason"]) == (
        "Pipeline degraded",
        "connector:users-source is missing: there is no such connector",
    )
    assert len((await client.get("/provisioner/events?limit=1")).json()["events"]) == 1
    assert (await client.get("/provisioner/events?limit=0")).status_code == 422


async def test_what_a_server_says_can_always_be_reported(client: httpx.AsyncClient, world: World) -> None:
    """Half a surrogate pair, as JSON can carry it, in a configuration and in a refusal."""
    await client.post("/provisioner/apply?wait=true")
    assert world.connect.config is not None
    world.connect.config["topic.prefix"] = "src_\ud83e"
    for path in ("/provisioner/status?fresh=true", "/provisioner/plan"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert r"src_\\ud83e" in answer.text
    broken = httpx.Response(400, content=b'{"code": 400, "error": "no \\ud83e"}')
    world.pinot.tables.clear()
    world.pinot.script["POST", "/tables"] = [broken] * 9
    refused = await client.post("/provisioner/apply?wait=true")
    assert (refused.status_code, refused.json()["type"]) == (502, "step-failed")


async def test_a_verify_is_a_job(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.post("/provisioner/apply?wait=true")
    go_on = asyncio.Event()
    audit = Auditor.audit

    async def held(auditor: Auditor) -> AuditReport:
        await go_on.wait()
        return await audit(auditor)

    monkeypatch.setattr(Auditor, "audit", held)
    answer = await client.post("/provisioner/verify")
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    place = answer.headers["Location"]
    assert place == f"/provisioner/verify/{answer.json()['id']}"
    state = (await client.get("/provisioner/verify")).json()
    assert (state["running"], state["id"], state["last"]) == (True, answer.json()["id"], None)
    refused = await client.post("/provisioner/verify")
    assert (refused.status_code, refused.json()["type"]) == (409, "audit-in-progress")
    go_on.set()
    found = await ended(client, place)
    assert (found["state"], found["problem"]) == ("succeeded", None)
    assert found["report"]["verdict"] == "equal"
    waited = await client.post("/provisioner/verify?wait=true")
    assert (waited.status_code, waited.json()["ok"]) == (200, True)
    assert (await client.get("/provisioner/verify")).json()["last"] == waited.json()
    assert (await client.get(place)).json()["report"] == found["report"], "it is kept beside the newer one"
    assert (await client.get("/provisioner/verify/nosuch")).status_code == 404
    kinds = [(e["kind"], e["to"]) for e in (await client.get("/provisioner/events")).json()["events"]]
    assert kinds[-2:] == [("verify", "running"), ("verify", "equal")]


async def test_an_audit_that_breaks_is_a_failed_job_and_the_last_report_stays(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.post("/provisioner/apply?wait=true")
    good = (await client.post("/provisioner/verify?wait=true")).json()

    async def broken(_: Auditor) -> AuditReport:
        raise UnicodeEncodeError("utf-8", "\ud83e", 0, 1, "surrogates not allowed")

    with monkeypatch.context() as patched:
        patched.setattr(Auditor, "audit", broken)
        place = (await client.post("/provisioner/verify")).headers["Location"]
        failed = await ended(client, place)
    assert (failed["state"], failed["problem"]["status"]) == ("failed", 500)
    assert "UnicodeEncodeError" in failed["problem"]["detail"]
    state = await client.get("/provisioner/verify")
    assert state.status_code == 200
    assert (state.json()["problem"], state.json()["last"]) == (failed["problem"], good)
    world.kafka.down = True
    unavailable = await client.post("/provisioner/verify?wait=true")
    assert (unavailable.status_code, unavailable.json()["type"]) == (503, "unavailable")
    assert (await client.get("/provisioner/verify")).json()["problem"]["type"] == "unavailable"


async def test_a_report_can_be_reported_whatever_the_records_hold(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = {"source": "src_\ud83e", "n": float("nan"), "big": 10**30, "raw": b"\xff", "more": [{"\udc00": None}]}

    async def found(_: Auditor) -> AuditReport:
        comparison = Comparison(
            compared=1, missing=1, examples=[Example("missing", "('src_\ud83e', 1)", hostile, None)]
        )
        table = TableReport("pageview_tumbling", "sink", comparison)
        return AuditReport(datetime.now(UTC), 1, {}, {}, (table,))

    monkeypatch.setattr(Auditor, "audit", found)
    posted = await client.post("/provisioner/verify?wait=true")
    assert (posted.status_code, posted.json()["verdict"]) == (200, "different")
    state = await client.get("/provisioner/verify")
    assert state.status_code == 200
    (example,) = state.json()["last"]["tables"][0]["examples"]
    assert example["expected"]["source"] == "src_\\ud83e"
    assert (await client.get("/metrics")).status_code == 200


async def test_readiness_names_what_is_down(client: httpx.AsyncClient, world: World) -> None:
    assert (await client.get("/readyz")).status_code == 200
    world.kafka.down = True
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert checks.pop("kafka").startswith("Kafka at fake:9092")
    assert set(checks) == {"connect", "ksql", "pinot"}
    assert set(checks.values()) == {"ok"}


async def test_samples_of_everything(client: httpx.AsyncClient) -> None:
    await client.post("/provisioner/apply?wait=true")
    samples = (await client.get("/provisioner/sample?rows=3")).json()
    assert [len(samples[kind]) for kind in ("topics", "ksql", "pinot_tables")] == [11, 8, 6]
    assert (await client.get("/provisioner/sample?rows=0")).status_code == 422


async def test_teardown(client: httpx.AsyncClient, world: World) -> None:
    await client.post("/provisioner/apply?wait=true")
    answer = await client.post("/provisioner/teardown?wait=true", json={"delete_topics": True})
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    assert not world.kafka.existing
    assert (await client.post("/provisioner/teardown", json={"delete_topic": True})).status_code == 422
    assert len((await client.get("/provisioner/runs")).json()["runs"]) == 2


async def test_metrics_have_units_in_their_names(client: httpx.AsyncClient) -> None:
    await client.post("/provisioner/apply?wait=true")
    await client.get("/provisioner/status")
    text = (await client.get("/metrics")).text
    assert 'pagepulse_provisioner_runs_total{kind="apply",state="succeeded"} 1.0' in text
    assert "pagepulse_provisioner_ready 1.0" in text


async def test_the_metrics_move_without_requests_for_the_status(world: World) -> None:
    soon = timedelta(milliseconds=10)
    settings = world.settings.model_copy(
        update={"watch_interval": soon, "watch_idle_interval": soon, "unknown_after": timedelta(hours=1)}
    )
    async with client_of(settings, world.servers) as client:
        await client.post("/provisioner/apply?wait=true")

        async def measured(line: str) -> bool:
            return line in (await client.get("/metrics")).text

        await eventually(partial(measured, "pagepulse_provisioner_ready 1.0"), "the gauge says ready")
        assert await measured("pagepulse_provisioner_observation_age_seconds")
        world.kafka.down = True
        await eventually(partial(measured, "pagepulse_provisioner_slow_resources 25.0"), "Kafka's resources are slow")
        world.connect.config = None
        await eventually(partial(measured, "pagepulse_provisioner_ready 0.0"), "the gauge says that it is not ready")


async def test_the_state_after_a_run_is_seen_at_once(world: World) -> None:
    hours = timedelta(hours=1)
    settings = world.settings.model_copy(update={"watch_interval": hours, "watch_idle_interval": hours})
    async with client_of(settings, world.servers) as client:
        first = (await client.get("/provisioner/status?fresh=true")).json()
        await client.post("/provisioner/apply?wait=true")
        applied = (await client.get("/provisioner/status")).json()
        assert (first["state"], applied["state"]) == ("absent", "ready")
        assert applied["looked_at"] > first["looked_at"]
        await client.post("/provisioner/teardown?wait=true")
        assert (await client.get("/provisioner/status")).json()["state"] == "absent"


async def test_samplings_at_a_time_are_bounded(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def held(_: str) -> None:
        begun.release()
        await go_on.wait()

    monkeypatch.setattr(world.kafka, "describe", held)
    waiting = [asyncio.create_task(client.get("/provisioner/sample")) for _ in range(4)]
    for _ in range(16):  # each looks at four topics at a time
        await begun.acquire()
    refused = await client.get("/provisioner/sample")
    assert (refused.status_code, refused.json()["type"]) == (429, "too-many-requests")
    go_on.set()
    assert {(await answer).status_code for answer in waiting} == {200}
    assert (await client.get("/provisioner/sample")).status_code == 200


async def test_an_unknown_run_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.get("/provisioner/runs/nosuch")
    assert (answer.status_code, answer.json()["type"]) == (404, "not-found")
