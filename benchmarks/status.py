"""The status on a busy machine: latency of the answers, and false reports.

    python -m benchmarks.status [--json FILE] [--write-docs] [--busy 2] [--minutes 10] [--rate 200] [--stack DIR:OFFSET]

Processes that only keep a core busy run beside the stack and a load of events. Clients ask for the status a few times a second, and
others ask a process that only sends back as many bytes: what they wait for is the machine's doing. Each process has a session of its
own, as programs of different people have: Linux shares the cores between sessions first, and processes of one session would take
them from one another. In the end the provisioner's events
tell every change of state. Starts a stack of its own unless one is named.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import uvloop

from benchmarks.controlplane_clients import Call, run
from benchmarks.document import machine_line, table, write_section
from benchmarks.harness import arguments, busy, console, machine, report, write_json
from tests import stack as local_stack
from tests.stack import Stack

#: keeps clear of a demo and of the tests' stack
PORT_OFFSET: Final = 12_000
CLIENTS: Final = 4
EVERY_S: Final = 0.4
FLOOR: Final = "a process that only answers"
COLUMNS: Final = ("asked", "answers", "p50, ms", "p90, ms", "p99, ms", "longest, ms")


def main() -> None:
    parser = arguments("The status on a busy machine.")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/performance.md")
    parser.add_argument("--busy", type=int, default=2, help="processes that keep a core busy")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=200.0, help="events/s")
    parser.add_argument("--stack", help="DIR:OFFSET of a stack that runs already")
    options = parser.parse_args()
    if options.stack:
        directory, _, offset = options.stack.rpartition(":")
        result = uvloop.run(measure(Stack(Path(directory), int(offset)), options.busy, options.minutes, options.rate))
    else:
        with tempfile.TemporaryDirectory(prefix="pagepulse-bench-") as folder:
            stack = local_stack.start(Path(folder) / "stack", PORT_OFFSET)
            try:
                result = uvloop.run(measure(stack, options.busy, options.minutes, options.rate))
            finally:
                local_stack.stop(stack)
    report(f"{result['busy_loops']} busy loops, load average {result['load_average']}", COLUMNS, rows_of(result))
    for event in result["events"]:
        console.print(f"{event['at']} {event['kind']}: {event['detail']}")
    write_json(options.json, result)
    if options.write_docs:
        write_section("status", section(result))


async def measure(stack: Stack, loops: int, minutes: float, rate: float) -> dict[str, Any]:
    """The answers of ``minutes``, and the events of that time."""
    loop, spawn = asyncio.get_running_loop(), multiprocessing.get_context("spawn")
    call = Call("GET /provisioner/status", "GET", f"{stack.url('provisioner')}/provisioner/status")
    seconds = minutes * 60
    async with httpx.AsyncClient(timeout=60) as http:
        (await http.post(f"{stack.url('generator')}/generator/start", json={"rate": rate})).raise_for_status()
        try:
            size = len((await http.get(call.url)).content)
            with (
                ProcessPoolExecutor(1, mp_context=spawn, initializer=os.setsid) as pool,
                busy(loops, seconds + 60),
                floor(size) as url,
            ):
                await asyncio.sleep(5)  # what starts is over
                began_ms = round(time.time() * 1000)
                calls = [call, Call(FLOOR, "GET", url)]
                answers = await loop.run_in_executor(pool, run, calls, CLIENTS, seconds, EVERY_S)
                load = round(os.getloadavg()[0], 1)
        finally:
            (await http.post(f"{stack.url('generator')}/generator/stop")).raise_for_status()
        events = (await http.get(f"{stack.url('provisioner')}/provisioner/events?since={began_ms}")).json()["events"]
    return {
        "busy_loops": loops,
        "minutes": minutes,
        "rate": rate,
        "load_average": load,
        "refused": answers.refused,
        "answers": {name: summary(took) for name, took in answers.took.items()},
        "changes": sum(event["kind"] == "pipeline" for event in events),
        "events": events,
        "machine": machine(),
    }


def summary(took: list[float]) -> dict[str, float]:
    p50, p90, p99 = (round(float(value) * 1000, 1) for value in np.percentile(took, (50, 90, 99)))
    return {"answers": len(took), "p50": p50, "p90": p90, "p99": p99, "longest": round(max(took) * 1000, 1)}


@contextmanager
def floor(size: int) -> Iterator[str]:
    """The URL of a process that answers every request at once with ``size`` bytes."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=answer_at_once, args=(size, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/"
    finally:
        process.terminate()
        process.join()


def answer_at_once(size: int, port: Connection) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b" " * size

    os.setsid()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
                await writer.drain()

    async def serve() -> None:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


def rows_of(result: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(name, *(f"{value:,}" for value in found.values())) for name, found in result["answers"].items()]


def section(result: dict[str, Any]) -> str:
    return f"""## The status on a busy machine

`python -m benchmarks.status --busy {result["busy_loops"]} --minutes {result["minutes"]:g} --write-docs`: processes that only keep a core
busy run beside the whole stack and {result["rate"]:g} events/s (load average {result["load_average"]}), while clients ask for
`GET /provisioner/status`, and others ask a process that only sends as many bytes: that is what the machine itself takes. Changes of the
pipeline's state, which would be false, as nothing is done to it: {result["changes"]}. Requests without a good answer:
{result["refused"]}.

{table(COLUMNS, rows_of(result))}

{machine_line(result["machine"])}"""


if __name__ == "__main__":
    main()
