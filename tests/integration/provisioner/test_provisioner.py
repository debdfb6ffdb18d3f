"""The provisioner against the real servers: drift is seen and mended, a killed apply is finished, the audit agrees."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.patience import STEP_S, WORK_S, eventually
from tests.stack import REPOSITORY, Stack

pytestmark = pytest.mark.stack

#: of a second provisioner, beside the stack's own; below the ephemeral ports
_OWN_PORT = 18_903


@pytest.fixture
async def provisioner(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url("provisioner"), timeout=WORK_S) as client:
        yield client
        # Whatever a test did, the next one finds the pipeline whole.
        (await client.post("/provisioner/apply", params={"wait": True})).raise_for_status()


async def ready(client: httpx.AsyncClient) -> bool:
    return bool((await client.get("/provisioner/status")).json()["ready"])


async def planned(client: httpx.AsyncClient) -> dict[str, str]:
    steps = (await client.get("/provisioner/plan")).json()["steps"]
    return {step["resource"]: step["action"] for step in steps if step["action"] != "unchanged"}


async def ksql(stack: Stack, statement: str) -> Any:
    async with httpx.AsyncClient(base_url=stack.url("ksql"), timeout=STEP_S) as client:
        answer = await client.post("/ksql", json={"ksql": statement, "streamsProperties": {}})
        answer.raise_for_status()
        return answer.json()


async def query_id(stack: Stack, sink: str) -> str:
    queries = (await ksql(stack, "SHOW QUERIES;"))[0]["queries"]
    return str(next(query["id"] for query in queries if query["sinks"] == [sink]))


async def test_a_provisioned_pipeline_needs_nothing(provisioner: httpx.AsyncClient) -> None:
    await eventually(lambda: ready(provisioner), "ready")
    assert await planned(provisioner) == {}
    status = (await provisioner.get("/provisioner/status")).json()
    assert {resource["kind"] for resource in status["resources"]} == {
        "topic",
        "connector",
        "stream",
        "table",
        "query",
        "pinot_table",
    }
    assert (await provisioner.get("/readyz")).status_code == 200


async def test_drift_behind_its_back_is_told_and_only_that_is_mended(
    provisioner: httpx.AsyncClient, stack: Stack
) -> None:
    await ksql(stack, f"TERMINATE {await query_id(stack, 'PAGEVIEW_TUMBLING')};")
    await ksql(stack, "DROP TABLE pageview_hopping;")
    async with httpx.AsyncClient(timeout=STEP_S) as client:
        (await client.delete(f"{stack.url('pinot_controller')}/tables/pageview_session")).raise_for_status()
        (await client.delete(f"{stack.url('connect')}/connectors/users-source")).raise_for_status()
    assert not await ready(provisioner)
    wrong = {
        "query:pageview_tumbling": "drifted",
        "query:pageview_hopping": "create",
        "pinot_table:pageview_session": "create",
        "connector:users-source": "create",
    }

    async def seen() -> bool:
        return await planned(provisioner) == wrong

    await eventually(seen, "the plan names exactly what is wrong")
    applied = await provisioner.post("/provisioner/apply", params={"wait": True})
    assert applied.status_code == 200, applied.text
    run = applied.json()
    assert {step["resource"]: step["action"] for step in run["steps"] if step["action"] != "unchanged"} == wrong
    await eventually(lambda: ready(provisioner), "ready again")


async def test_a_foundation_made_anew_takes_along_what_stands_on_it(
    provisioner: httpx.AsyncClient, stack: Stack
) -> None:
    await ksql(stack, f"TERMINATE {await query_id(stack, 'CLEANED_USERS')};")
    plan = await planned(provisioner)
    assert set(plan.values()) == {"replace"}
    assert {name.partition(":")[2] for name in plan if name.startswith("query:")} == {
        "cleaned_users",
        "pageview_enriched",
        "pageview_country",
    }
    (await provisioner.post("/provisioner/apply", params={"wait": True})).raise_for_status()
    await eventually(lambda: ready(provisioner), "ready again")


async def test_the_audit_agrees_after_late_duplicate_and_malformed_events(
    provisioner: httpx.AsyncClient, stack: Stack
) -> None:
    load = {"rate": 400, "late_fraction": 0.03, "duplicate_fraction": 0.01, "malformed_fraction": 0.01}
    async with httpx.AsyncClient(base_url=stack.url("generator"), timeout=STEP_S) as generator:
        (await generator.post("/generator/start", json=load)).raise_for_status()

        async def flows() -> bool:
            return bool((await generator.get("/generator/status")).json()["acknowledged"] > 3_000)

        await eventually(flows, "3,000 events")
        while_running = (await provisioner.post("/provisioner/verify")).json()
        assert while_running["ok"], json.dumps(while_running)[:3000]
        (await generator.post("/generator/stop")).raise_for_status()
    report = (await provisioner.post("/provisioner/verify")).json()
    assert report["ok"], json.dumps(report)[:3000]
    compared = {(table["table"], table["side"]): table["compared"] for table in report["tables"]}
    assert len(compared) == 12
    assert all(rows > 0 for rows in compared.values()), compared
    assert report["unreadable"]["topic1_PageView"] > 0
    assert (await provisioner.get("/provisioner/verify")).json()["last"]["ok"]


async def test_samples_show_decoded_rows_of_everything(provisioner: httpx.AsyncClient, stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.url("generator"), timeout=STEP_S) as generator:
        (await generator.post("/generator/start", json={"rate": 100, "max_events": 300})).raise_for_status()

    async def complete() -> dict[str, Any] | None:
        answer: dict[str, Any] = (await provisioner.get("/provisioner/sample", params={"rows": 3})).json()
        entries = [entry for kind in answer.values() for entry in kind]
        return answer if all(0 < len(entry["rows"]) <= 3 for entry in entries) else None

    samples = await eventually(complete, "rows of everything", every_s=0.5)
    assert samples is not None
    topics = {entry["name"]: entry["rows"] for entry in samples["topics"]}
    window = topics["topic6_PageView_Tumbling"][-1]
    assert window["key"] in ("Homepage", "Inbox", "External")
    assert window["window_end"] - window["window_start"] == 60_000
    assert isinstance(topics["topic3_Users"][-1]["key"], int)


@asynccontextmanager
async def own_provisioner(stack: Stack) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """A second provisioner process, which a test may kill."""
    secrets = json.loads((stack.directory / "secrets.json").read_text())
    environment = {
        **os.environ,
        **stack.environment(),
        "PAGEPULSE_PORT": str(_OWN_PORT),
        "PAGEPULSE_CDC_PASSWORD": secrets["cdc_password"],
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.provisioner", cwd=REPOSITORY, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{_OWN_PORT}", timeout=WORK_S) as client:

            async def up() -> bool:
                try:
                    return bool((await client.get("/healthz")).is_success)
                except httpx.TransportError:
                    return False

            await eventually(up, "a provisioner of our own")
            yield process, client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_an_apply_that_was_killed_is_finished_by_the_next(provisioner: httpx.AsyncClient, stack: Stack) -> None:
    answer = await provisioner.post("/provisioner/teardown", params={"wait": True}, json={"delete_topics": False})
    answer.raise_for_status()
    assert (await provisioner.get("/provisioner/status")).json()["state"] == "absent"
    async with own_provisioner(stack) as (process, client):
        run = (await client.post("/provisioner/apply")).json()

        async def halfway() -> bool:
            steps = (await client.get(f"/provisioner/runs/{run['id']}")).json()["steps"]
            return len([step for step in steps if step["state"] == "done"]) >= 8

        await eventually(halfway, "an apply that is half done")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    (await provisioner.post("/provisioner/apply", params={"wait": True})).raise_for_status()
    await eventually(lambda: ready(provisioner), "ready after a killed apply")
    assert await planned(provisioner) == {}
