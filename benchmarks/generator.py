"""How fast one generator process is, beside the JVM's own performance tool on the same brokers.

    python -m benchmarks.generator [--json FILE] [--turns 3] [--events 1000000]     generator against ProducerPerformance
    python -m benchmarks.generator --pacing                                         asked and achieved rate over 10 s

Both write to the same topic (5 partitions, 3 replicas) with acks=all, idempotence, no compression, batches of 512 KiB
and records of the same size, in turn. The generator makes each event (sessions, users, think times, JSON, key hash); the
JVM's tool sends prepared payloads without keys. Starts three brokers of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop
from aiokafka.admin import NewTopic

from benchmarks.brokers import brokers
from benchmarks.document import machine_line, table, write_section
from benchmarks.harness import arguments, console, machine, median, report, spread, write_json
from services.generator.behaviour import Crowd
from services.generator.kafka import Kafka
from services.generator.population import Population, user_names
from services.generator.profiles import Constant
from services.generator.publisher import Publisher
from services.generator.run import RateControl, Run
from services.generator.schemas import StartRequest
from services.generator.settings import Settings
from services.generator.source import EventSource
from services.generator.statistics import Statistics
from services.generator.waves import Waves, natural_waves
from shared import topics
from shared.gc_tuning import tune_gc
from shared.kafka import admin_client, end_offsets

VIEWS: Final = "benchmark_views"
SESSIONS: Final = "benchmark_sessions"
USERS: Final = 10_000
PACES: Final = (0.5, 10.0, 1_000.0, 20_000.0, 50_000.0)
PACING_S: Final = 10.0
_JAVA_RATE: Final = re.compile(r"(\d+) records sent, ([\d.]+) records/sec")


@dataclass(frozen=True, slots=True)
class Turn:
    events: int
    seconds: float
    record_bytes: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


async def main() -> None:
    options = parse()
    tune_gc()
    async with fresh_topics():
        result = await pacing() if options.pacing else await compare(options.turns, options.events)
    result["machine"] = machine()
    write_json(options.json, result)
    if options.write_docs:
        if options.pacing:
            write_section("generator pacing", pacing_section(result))
        else:
            write_section("generator speed", speed_section(result))


def parse() -> argparse.Namespace:
    parser = arguments("The generator's speed, beside the JVM's ProducerPerformance.")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--events", type=int, default=1_000_000, help="events per turn")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/performance.md")
    parser.add_argument("--pacing", action="store_true", help="measure how exactly rates are kept instead")
    return parser.parse_args()


async def compare(turns: int, events: int) -> dict[str, Any]:
    await generate(0.0, max_events=events // 5)
    ours: list[Turn] = []
    theirs: list[float] = []
    for turn in range(1, turns + 1):
        ours.append(await generate(0.0, max_events=events))
        theirs.append(await java(events, round(ours[-1].record_bytes)))
        console.print(f"turn {turn}: generator {ours[-1].rate:,.0f} events/s, JVM {theirs[-1]:,.0f} records/s")
    rates = [turn.rate for turn in ours]
    ratio = median(rates) / median(theirs)
    report(
        f"Full speed, {ours[0].record_bytes:.0f} bytes per record, acks=all, idempotent",
        ("producer", "median events/s", "range"),
        [
            ("generator (events made one by one)", f"{median(rates):,.0f}", spread(rates)),
            ("JVM ProducerPerformance (prepared)", f"{median(theirs):,.0f}", spread(theirs)),
            ("ratio", f"{ratio:.2f}", ""),
        ],
    )
    return {
        "ratio": round(ratio, 3),
        "generator_events_per_s": round(median(rates)),
        "jvm_events_per_s": round(median(theirs)),
        "generator_turns": [round(rate) for rate in rates],
        "jvm_turns": [round(rate) for rate in theirs],
        "events_per_turn": events,
        "record_bytes": round(ours[0].record_bytes, 1),
    }


async def pacing() -> dict[str, Any]:
    rows: list[tuple[str, ...]] = []
    measured = []
    for rate in PACES:
        turn = await generate(rate, duration_s=PACING_S)
        achieved = turn.events / PACING_S
        error = achieved / rate - 1
        rows.append((f"{rate:,g}", f"{achieved:,.1f}", f"{error:+.2%}", f"{turn.seconds:.2f}"))
        measured.append({"asked": rate, "achieved": round(achieved, 2), "error": round(error, 5)})
    report(f"Pacing over {PACING_S:g} s", ("asked, events/s", "achieved", "error", "until the last ack, s"), rows)
    return {"pacing": measured, "seconds": PACING_S}


def speed_section(result: dict[str, Any]) -> str:
    rows = [
        (name, f"{result[f'{key}_events_per_s']:,}", spread(result[f"{key}_turns"]))
        for name, key in (("generator, one process", "generator"), ("JVM ProducerPerformance", "jvm"))
    ]
    return f"""## The generator at full speed

`python -m benchmarks.generator --write-docs`: {len(result["jvm_turns"])} turns of {result["events_per_turn"]:,} events
each, in turn, on the same three brokers; {result["record_bytes"]:.0f} bytes per record, acks=all, idempotent, not
compressed. The generator makes every event (sessions, users, JSON, key hash), the JVM's tool sends prepared payloads
without keys. Ratio of the medians: **{result["ratio"]:.2f}**.

{table(("producer", "median events/s", "range"), rows)}

{machine_line(result["machine"])}"""


def pacing_section(result: dict[str, Any]) -> str:
    rows = [(f"{m['asked']:,g}", f"{m['achieved']:,.1f}", f"{m['error']:+.2%}") for m in result["pacing"]]
    return f"""## The generator's pacing

`python -m benchmarks.generator --pacing --write-docs`: acknowledged events of {result["seconds"]:g} s at each rate.

{table(("asked, events/s", "achieved", "error"), rows)}

{machine_line(result["machine"])}"""


async def generate(rate: float, *, max_events: int | None = None, duration_s: float | None = None) -> Turn:
    """One run, from the first event to the last acknowledgement.

    Raises:
        RuntimeError: an event was not acknowledged, or is not in the topic.
    """
    before = await stored()
    run = await prepared(rate, max_events=max_events, duration_s=duration_s)
    began = time.perf_counter()
    run.begin()
    await run.work()
    await run.publisher.flush()
    seconds = time.perf_counter() - began
    await run.publisher.aclose()
    sent, acknowledged = run.statistics.sent, run.statistics.acknowledged
    in_topics = await stored() - before
    if not sent == acknowledged == in_topics:
        raise RuntimeError(f"{sent} sent, {acknowledged} acknowledged, {in_topics} in the topics")
    return Turn(acknowledged, seconds, record_bytes=sample_size(run.source))


async def prepared(rate: float, *, max_events: int | None = None, duration_s: float | None = None) -> Run:
    """The generator's own parts put together, connected, with users of its own instead of the seeder's."""
    settings = Settings(page_view_topic=VIEWS, user_session_topic=SESSIONS)
    request = StartRequest(rate=rate)
    user_names()
    statistics = Statistics()
    publisher = Publisher(settings, Kafka(settings), statistics)
    await publisher.start()
    rng = np.random.default_rng()
    waves = Waves(request.sources, rng.spawn(1)[0], natural_waves(Settings().session_gap))
    constant = Constant(kind="constant")
    control = RateControl(rate, constant, waves, rng, time.monotonic())
    crowd = Crowd(
        population=Population(np.arange(1, USERS + 1), skew=request.skew, rng=rng.spawn(1)[0]),
        waves=waves,
        devices=request.devices,
        partitions=publisher.partitions,
        rng=rng,
        max_active=settings.max_active_sessions,
    )
    return Run(
        control.bucket,
        constant,
        crowd,
        publisher,
        statistics,
        duration_s=duration_s,
        max_events=max_events,
        control=control,
        population=USERS,
    )


def sample_size(source: EventSource) -> float:
    """Mean bytes of key and value."""
    times = [i / 1_000 for i in range(2_000)]
    events = source.emit(times, time.time_ns() // 1_000_000, at_full_speed=False)
    return sum(len(key) + len(value) for _, key, value in events) / len(events)


async def java(records: int, record_bytes: int) -> float:
    """Records per second of the JVM's tool."""
    jars = max(cache().glob("jars/kafka-*"), key=lambda path: path.stat().st_mtime)
    settings = Settings()
    process = await asyncio.create_subprocess_exec(
        "java", "-Xmx512m", "-cp", f"{jars}/*", "org.apache.kafka.tools.ProducerPerformance",
        "--topic", VIEWS, "--num-records", str(records), "--record-size", str(record_bytes), "--throughput", "-1",
        "--producer-props", f"bootstrap.servers={settings.kafka_bootstrap}", "acks=all", "enable.idempotence=true",
        "compression.type=none", f"batch.size={settings.batch_bytes}", "linger.ms=5", "buffer.memory=67108864",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    totals = _JAVA_RATE.findall(output.decode())
    if process.returncode != 0 or not totals:
        raise RuntimeError(f"ProducerPerformance failed:\n{output.decode()}")
    return float(totals[-1][1])


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pagepulse"


async def stored() -> int:
    offsets = await end_offsets(Settings().kafka_bootstrap, (VIEWS, SESSIONS))
    return sum(offsets.values())


@asynccontextmanager
async def fresh_topics() -> AsyncIterator[None]:
    """The benchmark's own brokers and topics, for as long as it runs."""
    with brokers() as bootstrap:
        os.environ["PAGEPULSE_KAFKA_BOOTSTRAP"] = bootstrap
        async with _topics():
            yield


@asynccontextmanager
async def _topics() -> AsyncIterator[None]:
    async with admin_client(Settings().kafka_bootstrap) as admin:
        wanted = [NewTopic(name, topics.PARTITIONS, topics.REPLICATION_FACTOR) for name in (VIEWS, SESSIONS)]
        await admin.create_topics(wanted)
        await asyncio.sleep(1)
        try:
            yield
        finally:
            await admin.delete_topics([VIEWS, SESSIONS])


if __name__ == "__main__":
    uvloop.run(main())
