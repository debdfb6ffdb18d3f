"""The provisioner against the real servers: drift is seen and mended, the audit agrees, silence is no evidence.

An apply that is killed and finished by the next is a drill: tests/integration/drills."""

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
    return bool((await client.get("/provisioner/status?fresh=true")).json()["ready"])


async def unready(client: httpx.AsyncClient) -> bool:
    """From memory."""
    return bool((await client.get("/provisioner/status")).json()["state"] == "degraded")


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
    assert status["reason"] == "all 29 resources are ok"
    assert {resource["kind"] for resource in status["resources"]} == {
        "topic",
        "connector",
        "stream",
        "table",
        "query",
        "pinot_table",
    }
    assert (await provisioner.get("/readyz")).status_code == 200


async def test_drift_is_reported_and_only_that_is_repaired(provisioner: httpx.AsyncClient, stack: Stack) -> None:
    await ksql(stack, f"TERMINATE {await query_id(stack, 'PAGEVIEW_TUMBLING')};")
    await ksql(stack, "DROP TABLE pageview_hopping;")
    async with httpx.AsyncClient(timeout=STEP_S) as client:
        (await client.delete(f"{stack.url('pinot_controller')}/tables/pageview_session")).raise_for_status()
        (await client.delete(f"{stack.url('connect')}/connectors/users-source")).raise_for_status()
    await eventually(lambda: unready(provisioner), "the watch sees it without being asked to look")
    wrong = {
        "query:pageview_tumbling": "repair",
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


async def test_a_foundation_recreated_replaces_its_dependents(provisioner: httpx.AsyncClient, stack: Stack) -> None:
    await ksql(stack, f"TERMINATE {await query_id(stack, 'CLEANED_USERS')};")
    plan: dict[str, str] = {}

    async def seen() -> bool:
        nonlocal plan
        plan = await planned(provisioner)
        return set(plan.values()) == {"replace"}

    await eventually(seen, lambda: f"a plan that replaces, not {plan}")
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
        while_running = (await provisioner.post("/provisioner/verify?wait=true")).json()
        assert while_running["ok"], json.dumps(while_running)[:3000]
        (await generator.post("/generator/stop")).raise_for_status()
    report = (await provisioner.post("/provisioner/verify?wait=true")).json()
    assert report["ok"], json.dumps(report)[:3000]
    compared = {(table["table"], table["side"]): table["compared"] for table in report["tables"]}
    assert len(compared) == 14
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
async def own_provisioner(stack: Stack, **settings: str) -> AsyncIterator[httpx.AsyncClient]:
    """A second provisioner process with settings of its own."""
    secrets = json.loads((stack.directory / "secrets.json").read_text())
    environment = {
        **os.environ,
        **stack.environment(),
        "PAGEPULSE_PORT": str(_OWN_PORT),
        "PAGEPULSE_CDC_PASSWORD": secrets["cdc_password"],
        **settings,
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
            yield client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


class Passage:
    """A TCP relay in front of a server, which counts connections and can be made to swallow everything."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").rpartition(":")
        self._target = host, int(port)
        self.received = 0
        self.open = asyncio.Event()
        self.open.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        tasks: set[asyncio.Task[None]] = set()

        async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, inwards: bool) -> None:
            while data := await reader.read(65_536):
                self.received += inwards
                await self.open.wait()
                writer.write(data)
                await writer.drain()
            writer.close()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            back_reader, back_writer = await asyncio.open_connection(*self._target)
            for one in (pump(reader, back_writer, inwards=True), pump(back_reader, writer, inwards=False)):
                task = asyncio.create_task(one)
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_server_that_falls_silent_is_unknown_and_nothing_is_degraded(
    provisioner: httpx.AsyncClient, stack: Stack
) -> None:
    """ksqlDB behind a relay that stops; and while it answers, asking for the status causes no request to it.

    What is slow before it is unknown, and when, is in the watcher's unit tests: here another server may be slow for a moment too."""
    passage = Passage(stack.url("ksql"))
    async with (
        passage.serving() as address,
        own_provisioner(
            stack,
            PAGEPULSE_KSQL_URL=address,
            PAGEPULSE_LOOK_TIMEOUT="PT3S",
            PAGEPULSE_UNKNOWN_AFTER="PT2S",
            PAGEPULSE_WATCH_IDLE_INTERVAL="PT1H",
            PAGEPULSE_WATCH_INTERVAL="PT1H",
        ) as client,
    ):
        statements = {"stream", "table", "query"}

        async def unseen(*, fresh: bool = False) -> tuple[str, set[str]]:
            answer = (await client.get("/provisioner/status", params={"fresh": fresh})).json()
            return answer["state"], {r["kind"] for r in answer["resources"] if r["slow"] or r["state"] == "unknown"}

        async def is_ready() -> bool:
            return await unseen(fresh=True) == ("ready", set())

        looks: list[int] = []

        async def is_quiet() -> bool:
            looks.append(passage.received)
            return len(looks) > 10 and len(set(looks[-10:])) == 1

        await eventually(is_ready, "a first look at everything")
        await eventually(is_quiet, "the looks are over", every_s=0.1)
        received = passage.received
        for _ in range(100):
            assert (await client.get("/provisioner/status")).json()["ready"]
        assert passage.received == received, "the status asks no server"

        passage.open.clear()

        async def is_unknown() -> bool:
            return await unseen(fresh=True) == ("unknown", statements)

        await eventually(is_unknown, "silence for long enough")
        resources = (await client.get("/provisioner/status")).json()["resources"]
        unseen_statements = sum(each["kind"] in statements for each in resources)

        async def plans_nothing() -> bool:
            plan = (await client.get("/provisioner/plan")).json()
            assert plan["changes"] == 0, plan
            return bool(plan["unseen"] == unseen_statements)

        await eventually(plans_nothing, "nothing is planned for what cannot be seen, and all else is seen")
        passage.open.set()

        await eventually(is_ready, "ready again")
        events = (await client.get("/provisioner/events")).json()["events"]
    whole = [event["to"] for event in events if event["kind"] == "pipeline"]
    assert (whole[0], whole[-1], set(whole)) == ("ready", "ready", {"ready", "unknown"}), events
    heard = [event["to"] for event in events if event["kind"] == "server" and event["subject"] == "ksqlDB"]
    assert "answers" in heard[heard.index("silent") :], events
