"""The provisioner over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager

from services.provisioner.app import create_app
from services.provisioner.pipeline import Servers
from services.provisioner.settings import Settings
from services.provisioner.status import PipelineStatus, Watch
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
    while (run := (await client.get(f"/provisioner/runs/{run['id']}")).json())["state"] == "running":
        await asyncio.sleep(0)
    assert run["state"] == "succeeded"
    assert all(step["took_ms"] is not None for step in run["steps"])


async def test_apply_with_wait_answers_the_finished_run(client: httpx.AsyncClient) -> None:
    answer = await client.post("/provisioner/apply?wait=true")
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    status = (await client.get("/provisioner/status")).json()
    assert (status["ready"], status["state"], status["freshness_ms"]) == (True, "ready", None)
    query = next(r for r in status["resources"] if r["kind"] == "query" and r["name"] == "pageview_tumbling")
    assert query["facts"]["lag"] == 2
    assert (await client.get("/provisioner/plan")).json()["changes"] == 0


async def test_a_failed_apply_is_a_problem_that_names_the_step(client: httpx.AsyncClient, world: World) -> None:
    world.pinot.script["POST", "/tables"] = [httpx.Response(400, json={"error": "Invalid table config"})] * 9
    answer = await client.post("/provisioner/apply?wait=true")
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (502, "step-failed")
    assert problem["step"].startswith("pinot_table:")
    assert "Invalid table config" in problem["detail"]
    assert (await client.get(f"/provisioner/runs/{problem['run_id']}")).json()["state"] == "failed"


async def test_status_is_an_answer_even_if_everything_is_away(client: httpx.AsyncClient, world: World) -> None:
    world.kafka.down = True
    world.connect.script = [httpx.Response(500, text="boom")] * 20
    world.ksql.script = [httpx.ConnectError("refused")] * 20
    answer = await client.get("/provisioner/status")
    assert answer.status_code == 200
    assert answer.json()["ready"] is False
    unknown = {r["kind"] for r in answer.json()["resources"] if r["state"] == "unknown"}
    assert {"topic", "connector", "stream", "table", "query"} <= unknown


async def test_an_answer_of_an_unknown_form_is_unknown_and_no_crash(client: httpx.AsyncClient, world: World) -> None:
    world.ksql.script = [httpx.Response(200, json=[{"@type": "sourceDescription"}]), httpx.Response(200, text="<html>")]
    answer = await client.get("/provisioner/status")
    assert answer.status_code == 200
    details = [r["detail"] for r in answer.json()["resources"] if r["state"] == "unknown"]
    assert len(details) == 2
    assert all("unknown form" in detail for detail in details)


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
    assert [len(samples[kind]) for kind in ("topics", "ksql", "pinot_tables")] == [10, 7, 5]
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


async def test_the_metrics_move_although_nobody_asks_for_the_status(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one look that fails in a way that nobody thought of is not the last."""
    failures, look = [RuntimeError("broken")], Watch.look

    async def fragile(watch: Watch) -> PipelineStatus:
        if failures:
            raise failures.pop()
        return await look(watch)

    monkeypatch.setattr(Watch, "look", fragile)
    settings = world.settings.model_copy(update={"watch_interval": timedelta(milliseconds=10)})
    async with client_of(settings, world.servers) as client:
        await client.post("/provisioner/apply?wait=true")

        async def measured(ready: float) -> bool:
            return f"pagepulse_provisioner_ready {ready}" in (await client.get("/metrics")).text

        await eventually(partial(measured, 1.0), "the gauge says ready")
        world.kafka.down = True
        await eventually(partial(measured, 0.0), "the gauge says that it is not ready")


async def test_callers_share_a_look_until_a_run_has_ended(world: World) -> None:
    settings = world.settings.model_copy(update={"status_max_age": timedelta(hours=1)})
    async with client_of(settings, world.servers) as client:
        first = (await client.get("/provisioner/status")).json()
        asked = len(world.connect.requests)
        assert (await client.get("/provisioner/status")).json() == first
        assert len(world.connect.requests) == asked
        await client.post("/provisioner/apply?wait=true")
        applied = (await client.get("/provisioner/status")).json()
        assert (first["ready"], applied["ready"]) == (False, True)
        assert applied["looked_at"] > first["looked_at"]


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
