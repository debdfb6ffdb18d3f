"""How fast the collector takes beacons, beside a plain FastAPI route that does nothing.

    python -m benchmarks.collector [--json FILE] [--write-docs] [--turns 5] [--seconds 4] [--clients 256]

Both are processes of their own under uvicorn on uvloop, asked in turn by the same clients with the same bodies. The collector does all
that it does in earnest: it checks every event, has it on disk (fsync) before it answers, and sends it to three brokers meanwhile. Each
turn waits until Kafka has acknowledged everything; in the end the records in Kafka are counted. Starts three brokers of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import psutil
import uvicorn
import uvloop
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from fastapi import FastAPI

from benchmarks.brokers import brokers
from benchmarks.controlplane_clients import Connection
from benchmarks.document import machine_line, table, write_section
from benchmarks.harness import arguments, console, machine, median, report, spread, write_json
from shared.aiokafka_internals import all_metadata, stop_consumer, take_fetched, wait_for_fetch
from shared.kafka import admin_client, open_consumer
from tests.patience import eventually
from tests.ports import free_port

BATCHES: Final = (1, 20)
VIEWS: Final = "benchmark_views"
LOGINS: Final = "benchmark_logins"
#: page views of one visit
_VISIT: Final = 10
#: the rate of the latency, as a share of the fastest
_SHARE: Final = 0.5
_UP_S: Final = 60.0
_PUBLISHED_S: Final = 300.0
COLUMNS: Final = ("server", "events per request", "requests/s", "events/s", "range, requests/s", "CPU per request, µs")
_PAGES: Final = 1_000
#: the first page view of a visit comes from a newsletter, the others from within the site
_FIRST_VIEW: Final = (
    '{"id":"%s%08x","session":"%s%07x","url":"https://shop.example/p/%d?utm_source=june&utm_medium=email",'
    '"referrer":"https://mail.example/","delay_ms":%d}'
)
_VIEW: Final = (
    '{"id":"%s%08x","session":"%s%07x","url":"https://shop.example/p/%d",'
    '"referrer":"https://shop.example/lamps","delay_ms":%d}'
)
#: as Chromium sends it for navigator.sendBeacon
_HEAD: Final = (
    "POST /collect HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\n"
    'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: "Linux"\r\n'
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n"
    "Content-Type: text/plain;charset=UTF-8\r\nAccept: */*\r\nOrigin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: empty\r\nReferer: http://{host}/shop/lamps.html\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n"
)


@dataclass(slots=True)
class Turn:
    """What the clients of one turn saw. ``cpu_s``: of the server's process, until nothing waits any more."""

    requests: int
    refused: int
    seconds: float
    #: seconds from when a request was due until its answer was there
    took: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def main() -> None:
    options = parse()
    with brokers() as bootstrap, tempfile.TemporaryDirectory(prefix="pagepulse-bench-") as folder:
        result = uvloop.run(measure(options, bootstrap, Path(folder)))
    report("The collector beside a route that does nothing", COLUMNS, rows_of(result))
    console.print(conclusion(result))
    write_json(options.json, result)
    if options.write_docs:
        write_section("collector", section(result))


def parse() -> argparse.Namespace:
    parser = arguments("The collector's speed, beside a plain FastAPI route.")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/performance.md")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clients", type=int, default=256)
    return parser.parse_args()


async def measure(options: argparse.Namespace, bootstrap: str, folder: Path) -> dict[str, Any]:
    async with admin_client(bootstrap) as admin:
        await admin.create_topics([NewTopic(name, 5, 3) for name in (VIEWS, LOGINS)])
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        async with plain_server() as plain, collector_server(bootstrap, folder) as collector:
            servers = {"plain route": plain, "collector": collector}
            speed: dict[tuple[str, int], list[Turn]] = defaultdict(list)
            for turn in range(-1, options.turns):  # the first turn warms up
                for batch in BATCHES:
                    for name, server in servers.items():
                        found = await server.turn(pool, options.clients, options.seconds, batch, 0.0)
                        console.print(f"turn {turn + 1}, {batch} per request: {name} {found.rate:,.0f} requests/s")
                        if turn >= 0:
                            speed[name, batch].append(found)
            latency = {}
            for batch in BATCHES:
                rate = _SHARE * median([found.rate for found in speed["collector", batch]])
                for name, server in servers.items():
                    latency[name, batch] = await server.turn(pool, options.clients, 2 * options.seconds, batch, rate)
            status = await collector.status()
    stored = {topic: await records(bootstrap, topic) for topic in (VIEWS, LOGINS)}
    if not status["accepted"] == status["published"] == stored[VIEWS]:
        raise RuntimeError(f"{status['accepted']} accepted, {status['published']} published, {stored} in Kafka")
    return {
        "turns": options.turns,
        "seconds": options.seconds,
        "clients": options.clients,
        "speed": [described(name, batch, turns) for (name, batch), turns in speed.items()],
        "latency": [latencies(name, batch, turn) for (name, batch), turn in latency.items()],
        "views": stored[VIEWS],
        "logins": stored[LOGINS],
        "duplicates": status["duplicates"],
        "machine": machine(),
    }


def described(name: str, batch: int, turns: list[Turn]) -> dict[str, Any]:
    rates = [turn.rate for turn in turns]
    return {
        "server": name,
        "batch": batch,
        "requests_per_s": round(median(rates), 1),
        "turns": [round(rate, 1) for rate in rates],
        "requests": sum(turn.requests for turn in turns),
        "refused": sum(turn.refused for turn in turns),
        "cpu_us": round(median([turn.cpu_s / turn.requests for turn in turns]) * 1e6),
    }


def latencies(name: str, batch: int, turn: Turn) -> dict[str, Any]:
    p50, p95, p99 = (round(float(value) * 1000, 1) for value in np.percentile(turn.took, (50, 95, 99)))
    return {"server": name, "batch": batch, "rate": round(turn.rate), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def rows_of(result: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            found["server"],
            str(found["batch"]),
            f"{found['requests_per_s']:,.0f}",
            f"{found['requests_per_s'] * found['batch']:,.0f}",
            spread(found["turns"]),
            f"{found['cpu_us']:,}",
        )
        for found in result["speed"]
    ]


def ratios(result: dict[str, Any]) -> dict[int, float]:
    """Requests/s of the collector to those of the plain route, by events per request."""
    rates = {(found["server"], found["batch"]): found["requests_per_s"] for found in result["speed"]}
    return {batch: rates["collector", batch] / rates["plain route", batch] for batch in BATCHES}


def conclusion(result: dict[str, Any]) -> str:
    said = ", ".join(f"**{ratio:.2f}** with {batch} per request" for batch, ratio in ratios(result).items())
    refused = sum(found["refused"] for found in result["speed"])
    return (
        f"Ratio of the medians, requests/s: {said}. Answers other than 2xx: {refused}. {result['views']:,} page views were "
        f"accepted, and Kafka has {result['views']:,} and {result['logins']:,} logins, one for each visit."
    )


def section(result: dict[str, Any]) -> str:
    columns = ("server", "events per request", "requests/s", "p50, ms", "p95, ms", "p99, ms")
    rows = [
        (f["server"], str(f["batch"]), f"{f['rate']:,}", *(f"{f[key]:,}" for key in ("p50_ms", "p95_ms", "p99_ms")))
        for f in result["latency"]
    ]
    return f"""## The collector

`python -m benchmarks.collector --write-docs`: {result["clients"]} clients that send again as soon as they have their answer, for
{result["turns"]} turns of {result["seconds"]:g} s, against the collector and against a FastAPI route that does nothing, in turn, with the
same bodies; both are one process. The collector checks each event, has it on disk before it answers, and sends it to three brokers
meanwhile; the CPU time is until Kafka has everything. Clients and brokers share the machine's cores.

{table(COLUMNS, rows_of(result))}

{conclusion(result)}

Both at half of the collector's rate, from when a request was due until its answer was there:

{table(columns, rows)}

{machine_line(result["machine"])}"""


# --- the servers


class Server:
    """A process with a route ``POST /collect``."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self._process = psutil.Process(process.pid)
        self._http = httpx.AsyncClient(base_url=url, timeout=_UP_S, trust_env=False)
        self._turns = 0

    async def turn(self, pool: ProcessPoolExecutor, clients: int, seconds: float, batch: int, rate: float) -> Turn:
        """``rate``: requests/s of all clients together; 0: as fast as they are answered."""
        self._turns += 1
        before = self._cpu_s()
        loop = asyncio.get_running_loop()
        mark = f"{self._turns:08x}"
        found = await loop.run_in_executor(pool, beacons, f"{self.url}/collect", clients, seconds, batch, rate, mark)
        await self.until_published()
        found.cpu_s = self._cpu_s() - before
        return found

    async def status(self) -> dict[str, Any]:
        return dict((await self._http.get("/collect/status")).json())

    async def until_published(self) -> None:
        """Nothing waits for Kafka."""

    async def until_up(self) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(_UP_S):
            while True:
                try:
                    await self._http.get("/healthz")
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
                else:
                    return

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


class CollectorServer(Server):
    async def until_published(self) -> None:
        """Raises AssertionError: not in time."""

        async def nothing_waits() -> bool:
            return not (await self.status())["waiting"]

        await eventually(nothing_waits, "everything in Kafka", _PUBLISHED_S, 0.1)


@asynccontextmanager
async def plain_server() -> AsyncIterator[Server]:
    port = free_port()
    with running("benchmarks.collector", "--plain", str(port)) as process:
        server = Server(f"http://127.0.0.1:{port}", process)
        await server.until_up()
        yield server


@asynccontextmanager
async def collector_server(bootstrap: str, folder: Path) -> AsyncIterator[CollectorServer]:
    port = free_port()
    environment = {
        "PAGEPULSE_PORT": str(port),
        "PAGEPULSE_KAFKA_BOOTSTRAP": bootstrap,
        "PAGEPULSE_JOURNAL": str(folder / "journal"),
        "PAGEPULSE_PAGE_VIEW_TOPIC": VIEWS,
        "PAGEPULSE_USER_SESSION_TOPIC": LOGINS,
        "PAGEPULSE_CLIENT_EVENTS_PER_MINUTE": str(10**9),
        "PAGEPULSE_LOG_LEVEL": "WARNING",
    }
    with running("services.collector", environment=environment) as process:
        server = CollectorServer(f"http://127.0.0.1:{port}", process)
        await server.until_up()
        yield server


@contextmanager
def running(*module: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m``, ended with the block."""
    process = subprocess.Popen([sys.executable, "-m", *module], env={**os.environ, **(environment or {})})
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def plain() -> FastAPI:
    """The route that does nothing."""
    app = FastAPI()

    @app.post("/collect", status_code=202)
    async def collect() -> dict[str, int]:
        return {"accepted": 0, "duplicates": 0}

    return app


async def records(bootstrap: str, topic: str) -> int:
    """Committed records in a topic."""
    consumer = await open_consumer(bootstrap)
    try:
        known = await all_metadata(consumer)
        partitions = [TopicPartition(topic, p) for p in known.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends, found = await consumer.end_offsets(partitions), 0
        async with asyncio.timeout(_PUBLISHED_S):
            while not all([await consumer.position(tp) >= ends[tp] for tp in partitions]):
                await wait_for_fetch(consumer, partitions, 1.0)
                found += sum(len(take_fetched(consumer, tp)) for tp in partitions)
        return found
    finally:
        await stop_consumer(consumer)


# --- the clients, in a process of their own


def beacons(url: str, clients: int, seconds: float, batch: int, rate: float, mark: str) -> Turn:
    """``mark`` makes the ids and visits of this turn unlike those of all others."""
    return uvloop.run(_beacons(url, clients, seconds, batch, rate, mark))


async def _beacons(url: str, clients: int, seconds: float, batch: int, rate: float, mark: str) -> Turn:
    turn = Turn(0, 0, seconds)
    ready = asyncio.Barrier(clients)
    host = url.split("/")[2]

    async def client(number: int) -> None:
        connection = Connection(url)
        await connection.open()
        await ready.wait()
        begin = time.monotonic()
        every_s = clients / rate if rate else 0.0
        due, sent = begin + every_s * number / clients, 0
        while due < begin + seconds:
            request = beacon(host, f"{mark}{number:04x}", sent, batch)
            sent += batch
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            good = await connection.asked(request)
            now = time.monotonic()
            turn.took.append(now - due)
            turn.requests += good
            turn.refused += not good
            # As fast as it is answered, or at the rate, however long an answer took.
            due = due + every_s if rate else now

    began = time.monotonic()
    await asyncio.gather(*map(client, range(clients)))
    turn.seconds = time.monotonic() - began
    return turn


def beacon(host: str, mark: str, first: int, batch: int) -> bytes:
    """A request with ``batch`` events of one client, as navigator.sendBeacon sends it."""
    events = ",".join(
        (_VIEW if n % _VISIT else _FIRST_VIEW) % (mark, n, mark, n // _VISIT, n % _PAGES, n % 1000)
        for n in range(first, first + batch)
    )
    return f"{_HEAD.format(host=host)}Content-Length: {len(events) + 2}\r\n\r\n[{events}]".encode()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--plain"]:
        uvicorn.run(plain, factory=True, port=int(sys.argv[2]), log_level="warning", access_log=False, loop="uvloop")
    else:
        main()
