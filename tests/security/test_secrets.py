"""No secret in a log line or an answer: real processes with secrets, servers that are unavailable, and requests that go wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.patience import STEP_S, eventually
from tests.ports import free_port
from tests.stack import REPOSITORY

# no part of a secret that is looked for alone can be a part of a request id, which is in hexadecimal digits
TOKEN, PASSWORD, CAPTURE = "token-5e9d1b7a", "password-'\"-8zqx", "capture-71a0e4"
SECRETS = (TOKEN, PASSWORD, CAPTURE, "8zqx")


def environment(**more: str) -> dict[str, str]:
    secrets = {"API_TOKEN": TOKEN, "MYSQL_PASSWORD": PASSWORD, "CDC_PASSWORD": CAPTURE, "LOG_LEVEL": "DEBUG"}
    closed = str(free_port())
    unavailable = {"MYSQL_PORT": closed, "KAFKA_BOOTSTRAP": f"127.0.0.1:{closed}"}
    urls = ("SEEDER", "CONNECT", "KSQL", "PINOT_CONTROLLER", "PINOT_BROKER")
    named = secrets | unavailable | {f"{name}_URL": f"http://127.0.0.1:{closed}" for name in urls} | more
    return os.environ | {f"PAGEPULSE_{name}": value for name, value in named.items()}


@asynccontextmanager
async def running(service: str, log_format: str) -> AsyncIterator[tuple[httpx.AsyncClient, list[str]]]:
    """A process of the service; the list holds what it has written once the block is left."""
    port, written = free_port(), list[str]()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{service}",
        cwd=REPOSITORY,
        env=environment(PORT=str(port), LOG_FORMAT=log_format),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    reading = asyncio.create_task(process.communicate())
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=STEP_S) as client:

            async def up() -> bool:
                assert process.returncode is None
                return await _answers(client)

            await eventually(up, "the service answers", every_s=0.1)
            yield client, written
    finally:
        if process.returncode is None:
            process.terminate()
        written.append((await reading)[0].decode())


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


REQUESTS = {
    "seeder": (
        ("GET", "/seeder/status"),
        ("POST", "/seeder/seed?wait=true"),
        ("GET", "/seeder/users"),
        ("GET", "/readyz"),
    ),
    "generator": (("POST", "/generator/start"), ("GET", "/readyz"), ("PUT", "/generator/rate")),
    "provisioner": (
        ("GET", "/provisioner/status"),
        ("GET", "/provisioner/plan"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
    ),
}


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("service", REQUESTS)
async def test_nothing_secret_is_disclosed_when_all_goes_wrong(service: str, log_format: str) -> None:
    answers: list[str] = []
    async with running(service, log_format) as (client, written):
        for headers in ({}, {"Authorization": f"Bearer x{TOKEN}"}, {"Authorization": f"Bearer {TOKEN}"}):
            for method, path in REQUESTS[service]:
                answer = await client.request(method, path, headers=headers, json={} if method == "POST" else None)
                assert answer.status_code != 500, answer.text
                answers.append(answer.text + str(answer.headers))
    logged = written[0]
    assert logged
    for secret in SECRETS:
        assert secret not in logged
        assert not any(secret in answer for answer in answers)


@pytest.mark.parametrize("wrong", [{"HOST": "0.0.0.0", "API_TOKEN": ""}, {"PORT": "0"}, {"HOST": "0.0.0.0"}])
@pytest.mark.parametrize("service", ["seeder", "provisioner"])
async def test_a_start_that_is_refused_does_not_print_the_settings(service: str, wrong: dict[str, str]) -> None:
    given = environment(**(wrong | ({} if "PORT" in wrong else {"PORT": str(free_port())})))
    if wrong == {"HOST": "0.0.0.0"}:
        del given["PAGEPULSE_API_TOKEN"]
    elif "API_TOKEN" in wrong:
        given["PAGEPULSE_REPLICATION_FACTOR"] = "no number"
        given["PAGEPULSE_MYSQL_POOL_SIZE"] = "no number"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{service}",
        cwd=REPOSITORY,
        env=given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(STEP_S):
        printed = (await process.communicate())[0].decode()
    assert process.returncode != 0
    assert "validation error" in printed
    assert not any(secret in printed for secret in SECRETS)
