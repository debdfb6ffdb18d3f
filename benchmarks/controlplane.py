"""The control plane with many clients: how long answers take, and whether the generator still keeps its pace.

    python -m benchmarks.controlplane [--json FILE] [--write-docs] [--clients 200] [--seconds 20]

Two kinds of clients: those that ask again as soon as they have their answer (what the services can do), and those that ask once a
second (what an open dashboard waits for). Beside them, some connections send a request byte by byte and some send nothing at all.
Starts a stack of its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import uvloop

from benchmarks.controlplane_clients import SILENT, SLOW, Answers, Call, bad_neighbours, run
from benchmarks.document import machine_line, table, write_section
from benchmarks.harness import arguments, console, machine, report, write_json
from tests import stack as local_stack

RATE: Final = 2_000.0
#: keeps clear of a demo and of the tests' stack
PORT_OFFSET: Final = 12_000
#: name: seconds from one question of a client to its next
KINDS: Final = {"without a pause": 0.0, "once a second": 1.0}
COLUMNS: Final = ("call", "answers/s", "p50, ms", "p95, ms", "p99, ms")


def url(service: str, port: int) -> str:
    return os.environ.get(f"PAGEPULSE_{service}_URL", f"http://127.0.0.1:{port}")


def calls() -> list[Call]:
    generator, seeder, provisioner = url("GENERATOR", 8001), url("SEEDER", 8002), url("PROVISIONER", 8003)
    return [
        Call("generator status", "GET", f"{generator}/generator/status"),
        Call("generator rate", "PUT", f"{generator}/generator/rate", {"rate": RATE}),
        Call("seeder stats", "GET", f"{seeder}/seeder/stats"),
        Call("provisioner status", "GET", f"{provisioner}/provisioner/status"),
    ]


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
    for kind, found in result["kinds"].items():
        report(f"{options.clients} clients, {kind}", COLUMNS, rows_of(found))
        console.print(f"pacing error {found['pacing_error']:+.3%}; refused or failed: {found['refused']}")
    console.print(f"pacing error alone {result['pacing_error_alone']:+.3%}")
    write_json(options.json, result)
    if options.write_docs:
        write_section("control plane", section(result))


async def measure(clients: int, seconds: float) -> dict[str, Any]:
    """First without clients, then with each kind of them."""
    # A connection of its own for each question: one kept through a pause may be closed just as it is used again.
    alone_each = httpx.Limits(max_keepalive_connections=0)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        async with (
            httpx.AsyncClient(base_url=url("GENERATOR", 8001), timeout=30, limits=alone_each) as control,
            generating(control),
        ):
            alone = await pace(control, seconds)
            kinds = {}
            for kind, every_s in KINDS.items():
                async with bad_neighbours([call.url for call in calls()]):
                    loop = asyncio.get_running_loop()
                    loading = loop.run_in_executor(pool, run, calls(), clients, seconds, every_s)
                    busy = await pace(control, seconds)
                    kinds[kind] = summary(await loading, seconds) | {"pacing_error": round(busy, 5)}
    return {
        "clients": clients,
        "seconds": seconds,
        "rate": RATE,
        "pacing_error_alone": round(alone, 5),
        "kinds": kinds,
        "machine": machine(),
    }


def section(result: dict[str, Any]) -> str:
    kinds = result["kinds"]
    parts = [
        f"""{result["clients"]} clients that ask {kind}; answers other than 2xx: {found["refused"]}; events sent against those
asked for: {found["pacing_error"]:+.2%}.

{table(COLUMNS, rows_of(found))}"""
        for kind, found in kinds.items()
    ]
    return f"""## The control plane under load

`python -m benchmarks.controlplane --write-docs`: {result["clients"]} clients, a quarter on each call, for {result["seconds"]:g} s, while
{result["rate"]:,.0f} events/s are generated (without clients {result["pacing_error_alone"]:+.2%} against those asked for); in the end
all were acknowledged. The clients share the machine's cores with the services and the whole stack. Beside them {SLOW} connections
that send a request byte by byte and {SILENT} that send nothing, to each service.

{(chr(10) * 2).join(parts)}

{machine_line(result["machine"])}"""


def summary(answers: Answers, seconds: float) -> dict[str, Any]:
    found = {}
    for name, took in answers.took.items():
        p50, p95, p99 = (round(float(value) * 1000, 1) for value in np.percentile(took, (50, 95, 99)))
        found[name] = {"per_s": round(len(took) / seconds, 1), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
    return {"calls": found, "refused": answers.refused}


def rows_of(found: dict[str, Any]) -> list[tuple[str, ...]]:
    keys = ("per_s", "p50_ms", "p95_ms", "p99_ms")
    return [(name, *(f"{call[key]:,.0f}" for key in keys)) for name, call in found["calls"].items()]


@asynccontextmanager
async def generating(control: httpx.AsyncClient) -> AsyncIterator[None]:
    started = await control.post("/generator/start", json={"rate": RATE})
    started.raise_for_status()
    try:
        await asyncio.sleep(3)
        yield
    finally:
        ended = (await control.post("/generator/stop")).raise_for_status().json()
    if ended["acknowledged"] != ended["sent"]:
        raise RuntimeError(f"of {ended['sent']} events {ended['acknowledged']} were acknowledged")


async def pace(control: httpx.AsyncClient, seconds: float) -> float:
    """By how much the events sent in ``seconds`` differ from those asked for, as a share."""
    began, before = await count(control)
    await asyncio.sleep(seconds)
    ended, after = await count(control)
    return (after - before) / ((ended - began) * RATE) - 1


async def count(control: httpx.AsyncClient) -> tuple[float, int]:
    """The run's own time, and the events given to Kafka up to then: how long the answer takes does not matter, nor how
    many events wait for Kafka, which has no less to do than the clients."""
    status = (await control.get("/generator/status")).json()
    return float(status["uptime_s"]), int(status["sent"])


if __name__ == "__main__":
    main()
