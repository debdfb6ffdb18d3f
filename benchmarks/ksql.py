"""How fast the embedded ksqlDB runs the whole pipeline, Kafka to Kafka.

    python -m benchmarks.ksql [--events N] [--json FILE] [--write-docs] [--only throughput|variants|profile|pace]

Starts three brokers of its own. The queries are declared on empty topics and paused, the events are written, then all
queries are resumed: the clock runs from that moment to the last record in a sink. What is in the sinks is compared with
what must be there, so that nothing is fast by dropping.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from benchmarks import ksql_pace
from benchmarks.brokers import brokers
from benchmarks.document import write_section
from benchmarks.harness import arguments, console, machine, report, write_json
from benchmarks.ksql_load import Load, Shape, make, send, users
from benchmarks.ksql_process import KsqlProcess, latest_values
from benchmarks.ksql_report import document, variant_rows
from services.provisioner.render import load as render
from services.provisioner.settings import Settings
from shared import topics

_MINUTE_MS: Final = 60_000
_PARTS: Final = ("throughput", "variants", "profile", "pace")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. ``seconds`` from resuming the queries to the last sink record; CPU and memory of the ksql server."""

    shape: Shape
    seconds: float
    cpu_s: float
    peak_rss_bytes: int
    counted: int

    @property
    def rate(self) -> float:
        return self.shape.events / self.seconds

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.shape.name,
            "events": self.shape.events,
            "users": self.shape.users,
            "event_time_minutes": self.shape.minutes,
            "hopping_advance_ms": self.shape.advance_ms,
            "events_per_s": round(self.rate),
            "seconds": round(self.seconds, 2),
            "cpu_s": round(self.cpu_s, 2),
            "cpu_us_per_event": round(self.cpu_s / self.shape.events * 1e6, 1),
            "peak_rss_bytes": self.peak_rss_bytes,
            "views_in_windows": self.counted,
        }


async def main() -> None:
    options = parse()
    parts = options.only or _PARTS
    base = Shape("1,000 users", options.events)
    shapes = [base] if "throughput" in parts else []
    if "variants" in parts:
        shapes += [
            replace(base, name="10,000 users", users=10_000),
            replace(base, name="100,000 users", users=100_000),
            replace(base, name="10x windows: event time over 100 minutes", minutes=100),
            replace(base, name="10x overlap: hopping by 6 s instead of 60 s", advance_ms=6_000),
        ]
    result: dict[str, Any] = {}
    with brokers() as bootstrap:
        runs = []
        for number, shape in enumerate(shapes):
            run = await measure(bootstrap, shape, f"bench{number}_")
            console.print(
                f"{shape.name}: {run.rate:,.0f} events/s, {run.cpu_s:.1f} CPU s, {run.peak_rss_bytes / 2**20:.0f} MiB"
            )
            runs.append(run)
        if runs:
            first = runs[0].as_json()
            result = {name: first[name] for name in ("events_per_s", "cpu_s", "peak_rss_bytes")}
            result["variants"] = [run.as_json() for run in runs]
        if "profile" in parts:
            result |= await profile(bootstrap, base)
        if "pace" in parts:
            result["pace"] = await pace(bootstrap)
    result["machine"] = machine()
    show(result)
    write_json(options.json, result)
    if options.write_docs:
        write_section("ksql", document(result, options.events))


def parse() -> argparse.Namespace:
    parser = arguments("The embedded ksqlDB's speed with the whole pipeline, Kafka to Kafka.")
    parser.add_argument("--events", type=int, default=400_000, metavar="N", help="page views (default 400,000)")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/performance.md")
    parser.add_argument("--only", action="append", choices=_PARTS, help="only this part; may be given several times")
    return parser.parse_args()


async def measure(bootstrap: str, shape: Shape, prefix: str) -> Measured:
    """One shape from preloaded topics to the last sink record."""
    server = KsqlProcess(bootstrap, prefix)
    try:
        load = await prepared(server, shape)
        cpu, began = server.cpu_s, time.perf_counter()
        await server.ksql("RESUME ALL;")
        ended = await server.settled()
        run = Measured(shape, ended - began, server.cpu_s - cpu, server.peak_rss, await check(server, load))
    finally:
        await server.stop()
        await server.delete_topics()
    return run


async def prepared(server: KsqlProcess, shape: Shape) -> Load:
    """Topics, queries (paused) and events; users have gone through already."""
    start = time.time_ns() // 1_000_000 - (shape.minutes + 1) * _MINUTE_MS
    await server.create_sources()
    await server.start()
    settings = Settings(hopping_advance=timedelta(milliseconds=shape.advance_ms), grace=timedelta(minutes=10))
    for _, text in render(settings).statements:
        await server.ksql(re.sub(r"KAFKA_TOPIC='", f"KAFKA_TOPIC='{server.prefix}", text))
    await send(server.bootstrap, server.prefix + topics.USERS, users(shape.users, start - _MINUTE_MS))
    await asyncio.sleep(1)
    async with asyncio.timeout(60):
        while await server.lag():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.2)
    await server.ksql("PAUSE ALL;")
    load = make(shape, start)
    for topic, records in load.records.items():
        await send(server.bootstrap, server.prefix + topic, records)
        records.clear()
    return load


async def check(server: KsqlProcess, load: Load) -> int:
    """Compares the sinks with what must be in them; gives the views counted in tumbling windows.

    Raises:
        RuntimeError: they differ.
    """
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for value in (await latest_values(server.bootstrap, server.prefix + topics.PAGE_VIEW_TUMBLING)).values():
        row = orjson.loads(value)
        found[row["source"], row["window_start"]] = (row["view_count"], row["user_count"])
    if found != load.tumbling:
        wrong = {w: (found.get(w), load.tumbling.get(w)) for w in found.keys() | load.tumbling.keys()}
        raise RuntimeError(f"tumbling windows differ: {[(w, p) for w, p in wrong.items() if p[0] != p[1]][:5]}")
    totals = [(topics.PAGE_VIEW_COUNTRY, load.enriched)]
    if load.sessions_close:
        totals.append((topics.PAGE_VIEW_SESSION, load.counted))
    for topic, expected in totals:
        values = (await latest_values(server.bootstrap, server.prefix + topic)).values()
        total = sum(orjson.loads(value)["view_count"] for value in values)
        if total != expected:
            raise RuntimeError(f"{topic}: {total} views counted instead of {expected}")
    return sum(count for count, _ in found.values())


async def profile(bootstrap: str, shape: Shape) -> dict[str, Any]:
    """A run of its own with a sampler in the server and REST calls from outside: the split by stage, REST latencies."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "profile.json"
        server = KsqlProcess(bootstrap, "benchprofile_", profile=file)
        try:
            await prepared(server, shape)
            rest = asyncio.create_task(ksql_pace.rest_latencies(server))
            since, cpu = time.time(), server.cpu_s
            began = time.perf_counter()
            await server.ksql("RESUME ALL;")
            seconds = await server.settled() - began
            rest.cancel()
            latencies = await rest
            cpu = server.cpu_s - cpu
        finally:
            await server.stop()
            await server.delete_topics()
        raw = orjson.loads(file.read_bytes())
    stages: Counter[str] = Counter()
    for second, counts in raw.items():
        if since <= int(second) < since + seconds:
            stages.update(counts)
    total = sum(stages.values())
    return {
        "stages": {
            stage: {
                "share": round(count / total, 4),
                "us_per_event": round(count / total * seconds / shape.events * 1e6, 2),
            }
            for stage, count in stages.most_common()
        },
        "profiled_events_per_s": round(shape.events / seconds),
        "rest_ms": latencies,
    }


async def pace(bootstrap: str) -> dict[str, Any]:
    """200 events per second: CPU share and latency from event to sink."""
    server = KsqlProcess(bootstrap, "benchpace_")
    try:
        await prepared(server, Shape("pace", 1_000, minutes=1))
        await server.ksql("RESUME ALL;")
        await server.settled()
        return await ksql_pace.steady(server)
    finally:
        await server.stop()
        await server.delete_topics()


def show(result: dict[str, Any]) -> None:
    if "variants" in result:
        report(
            "The whole pipeline, Kafka to Kafka",
            ("run", "events/s", "CPU s", "CPU us/event", "peak RSS, MiB"),
            variant_rows(result),
        )
    if "stages" in result:
        rows = [(name, f"{s['share']:.1%}", f"{s['us_per_event']:.2f}") for name, s in result["stages"].items()]
        report("Where the core's time goes", ("stage", "share", "us/event"), rows)
        console.print("REST at full speed, ms:", result["rest_ms"])
    if "pace" in result:
        console.print("at 200 events/s:", result["pace"])


if __name__ == "__main__":
    uvloop.run(main())
