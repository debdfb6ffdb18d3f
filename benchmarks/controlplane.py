"""The control plane with many clients: how long answers take, and whether the generator still keeps its pace.

    python -m benchmarks.controlplane [--json FILE] [--write-docs] [--clients 200] [--seconds 20]

Each client asks, reads the answer, and asks again without a pause. Beside them, some connections send a request byte by byte and
some send nothing at all. Starts a stack of its own.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import numpy as np
import uvloop

from benchmarks.document import machine_line, table, write_section
from benchmarks.harness import arguments, console, machine, report, write_json
from tests import stack as local_stack

RATE: Final = 2_000.0
#: keeps clear of a demo and of the tests' stack
PORT_OFFSET: Final = 12_000
#: (name, the variable that says where the service is and where it is by default, method, path, body)
CALLS: Final = (
    ("generator status", "GENERATOR", 8001, "GET", "/generator/status", None),
    ("generator rate", "GENERATOR", 8001, "PUT", "/generator/rate", {"rate": RATE}),
    ("seeder stats", "SEEDER", 8002, "GET", "/seeder/stats", None),
    ("provisioner status", "PROVISIONER", 8003, "GET", "/provisioner/status", None),
)
SLOW: Final = 20
SILENT: Final = 50
DRIBBLE_S: Final = 0.2


def url(service: str, port: int) -> str:
    return os.environ.get(f"PAGEPULSE_{service}_URL", f"http://127.0.0.1:{port}")


def main() -> None:
    parser = arguments("The control plane under load.")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/performance.md")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pagepulse-bench-") as folder:
        stack = local_stack.start(Path(folder) / "stack", PORT_OFFSET)
        try:
            os.environ.update(stack.environment())
            result = uvloop.run(measure(options.clients, options.seconds))
        finally:
            local_stack.stop(stack)
    rows = [
        (name, f"{c['answers']:,}", f"{c['p50_ms']:,.0f}", f"{c['p99_ms']:,.0f}") for name, c in result["calls"].items()
    ]
    report(f"{options.clients} clients at once", ("call", "answers", "p50, ms", "p99, ms"), rows)
    console.print(
        f"pacing error: alone {result['pacing_error_alone']:+.3%}, under load {result['pacing_error']:+.3%}; "
        f"refused or failed: {result['refused']}"
    )
    write_json(options.json, result)
    if options.write_docs:
        write_section("control plane", section(result, rows))


async def measure(clients: int, seconds: float) -> dict[str, Any]:
    """First without clients, then with them."""
    # A connection of its own for each question: one kept through a pause may be closed just as it is used again.
    alone_each = httpx.Limits(max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(base_url=url("GENERATOR", 8001), timeout=30, limits=alone_each) as control,
        generating(control),
    ):
        alone = await pace(control, seconds)
        async with bad_neighbours():
            loading = asyncio.create_task(load(clients, seconds))
            busy = await pace(control, seconds)
            took, refused = await loading
    return {
        "clients": clients,
        "seconds": seconds,
        "rate": RATE,
        "pacing_error_alone": round(alone, 5),
        "pacing_error": round(busy, 5),
        "refused": refused,
        "calls": {name: percentiles(times) for name, times in took.items()},
        "machine": machine(),
    }


def section(result: dict[str, Any], rows: list[tuple[str, str, str, str]]) -> str:
    return f"""## The control plane under load

`python -m benchmarks.controlplane --write-docs`: {result["clients"]} clients, a quarter on each call, each asking again as soon as
it has its answer, for {result["seconds"]:g} s, while {result["rate"]:,.0f} events/s are generated; beside them {SLOW} connections
that send a request byte by byte and {SILENT} that send nothing, to each service. Answers other than 2xx: {result["refused"]}.

{table(("call", "answers", "p50, ms", "p99, ms"), rows)}

Acknowledged events against those asked for: {result["pacing_error"]:+.2%} (without clients {result["pacing_error_alone"]:+.2%}).

{machine_line(result["machine"])}"""


@asynccontextmanager
async def generating(control: httpx.AsyncClient) -> AsyncIterator[None]:
    started = await control.post("/generator/start", json={"rate": RATE})
    started.raise_for_status()
    try:
        await asyncio.sleep(3)
        yield
    finally:
        (await control.post("/generator/stop")).raise_for_status()


async def pace(control: httpx.AsyncClient, seconds: float) -> float:
    """By how much the acknowledged events of ``seconds`` differ from those asked for, as a share."""
    began, before = await count(control)
    await asyncio.sleep(seconds)
    ended, after = await count(control)
    return (after - before) / ((ended - began) * RATE) - 1


async def count(control: httpx.AsyncClient) -> tuple[float, int]:
    """The run's own time, and the events acknowledged up to then: how long the answer takes does not matter."""
    status = (await control.get("/generator/status")).json()
    return float(status["uptime_s"]), int(status["acknowledged"])


async def load(clients: int, seconds: float) -> tuple[dict[str, list[float]], int]:
    """Seconds per answer by call, and how many were no success."""
    took: dict[str, list[float]] = {call[0]: [] for call in CALLS}
    refused = 0
    end = time.monotonic() + seconds

    async def client(number: int) -> None:
        nonlocal refused
        name, service, port, method, path, body = CALLS[number % len(CALLS)]
        async with httpx.AsyncClient(base_url=url(service, port), timeout=30) as http:
            while (began := time.monotonic()) < end:
                try:
                    answer = await http.request(method, path, json=body)
                    refused += not answer.is_success
                except httpx.HTTPError:
                    refused += 1
                took[name].append(time.monotonic() - began)

    await asyncio.gather(*map(client, range(clients)))
    return took, refused


@asynccontextmanager
async def bad_neighbours() -> AsyncIterator[None]:
    """Connections that send slowly or not at all, to each service, for as long as the block lasts."""
    async with AsyncExitStack() as opened:
        dribbling = []
        for service, port in {(call[1], call[2]) for call in CALLS}:
            for number in range(SLOW + SILENT):
                address = urlsplit(url(service, port))
                _, writer = await asyncio.open_connection(address.hostname, address.port)
                opened.callback(writer.close)
                if number < SLOW:
                    dribbling.append(asyncio.create_task(dribble(writer)))
        try:
            yield
        finally:
            for task in dribbling:
                task.cancel()
            await asyncio.wait(dribbling)


async def dribble(writer: asyncio.StreamWriter) -> None:
    request = b"POST /generator/start HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b" " * 100_000
    try:
        for byte in request:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(DRIBBLE_S)
    except ConnectionError:
        return


def percentiles(times: list[float]) -> dict[str, Any]:
    p50, p95, p99 = (round(float(value) * 1000, 1) for value in np.percentile(times, (50, 95, 99)))
    return {"answers": len(times), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


if __name__ == "__main__":
    main()
