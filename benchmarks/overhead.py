"""What the stack costs while little happens: requests to the brokers by kind, bytes written per event, cores by component.

    python -m benchmarks.overhead [--tree DIR] [--rates 0 20 200 1000] [--seconds 25] [--brokers 3] [--json FILE]
    python -m benchmarks.overhead --before FILE --after FILE [--single FILE] --write-docs

The first form starts a stack from the sources in DIR (this repository by default; a worktree of an earlier state for a comparison) and
measures it. The second compares two such results. Requests and bytes are the brokers' own counters, read over JMX at the beginning and
the end of each turn: they do not depend on how fast the machine is. Needs a JDK (jcmd).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from benchmarks.document import machine_line, table, write_section
from benchmarks.freshness import Freshness, watch
from benchmarks.harness import arguments, console, machine, report, write_json
from benchmarks.usage import Meter
from deploy.local import cache, java
from deploy.local.client import Services
from deploy.local.options import REPOSITORY
from deploy.local.ports import Ports
from deploy.local.state import State
from shared.tasks import TaskSet

_OFFSET: Final = 6_700
_USERS: Final = 1_000
#: after the start, and after a change of the rate
_SETTLE_S: Final = 12.0
_COMMAND_S: Final = 900.0
_JMX_S: Final = 60.0
_RATES: Final = (0.0, 20.0, 200.0, 1_000.0)
_TABLES: Final = ("pageview_country", "pageview_tumbling")
_CHANGELOG: Final = "_pagepulse-ksql-default__state"
_REQUESTS: Final = "kafka.network:type=RequestMetrics,name=RequestsPerSec,*"
_BYTES: Final = "kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec,*"
#: the brokers' names of the requests that matter by themselves; the rest is one line
_KINDS: Final = {
    "FetchConsumer": "fetches by consumers",
    "FetchFollower": "fetches by followers",
    "Produce": "produce",
    "WriteTxnMarkers": "transaction markers",
    "AddPartitionsToTxn": "partitions added to transactions",
    "AddPartitionsToTxnVerification": "partition verifications",
    "EndTxn": "commits",
}
#: counted a second time under the names above
_TWICE: Final = frozenset({"Fetch"})


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the brokers' start, summed over all of them. ``at``: monotonic seconds."""

    at: float
    requests: Counter[str]
    bytes_in: Counter[str]


class Brokers:
    """The counters of a stack's brokers."""

    def __init__(self, state: State) -> None:
        pids = [started.pid for name, started in sorted(state.read_pids().items()) if name.startswith("kafka")]
        self._urls = [_jmx_url(pid) for pid in pids]

    def counts(self) -> Counts:
        """Asks all of them at the same time: a JVM takes a second or more to start."""
        at = time.monotonic()
        tools = [
            subprocess.Popen(_jmx_tool(url), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for url in self._urls
        ]
        requests: Counter[str] = Counter()
        bytes_in: Counter[str] = Counter()
        for tool in tools:
            text = tool.communicate(timeout=_JMX_S)[0].decode()
            if tool.returncode:
                raise RuntimeError(f"JmxTool ended with {tool.returncode}")
            for line in text.splitlines():
                name, _, count = line.rpartition("=")
                if found := re.search(r"request=(\w+)", name):
                    requests[found[1]] += int(float(count))
                elif found := re.search(r"topic=([^,:]+)", name):
                    bytes_in[found[1]] += int(float(count))
        for name in _TWICE:
            requests.pop(name, None)
        return Counts(at, requests, bytes_in)


def _jmx_url(pid: int) -> str:
    """Opens a broker's local JMX connector; its address is then in its performance counters."""
    _jcmd(pid, "ManagementAgent.start_local")
    found = re.search(r'JMXConnectorServer\.address="([^"]+)"', _jcmd(pid, "PerfCounter.print"))
    if found is None:
        raise RuntimeError(f"process {pid} opens no JMX connector")
    return found[1]


def _jcmd(pid: int, command: str) -> str:
    program = shutil.which("jcmd")
    if program is None:
        raise RuntimeError("jcmd is not on the PATH: install a JDK, e.g. openjdk-17-jdk-headless")
    done = subprocess.run([program, str(pid), command], capture_output=True, text=True, check=True, timeout=_JMX_S)
    return done.stdout


def _jmx_tool(url: str) -> list[str]:
    names = [argument for name in (_REQUESTS, _BYTES) for argument in ("--object-name", name)]
    command = [str(java.require()), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{cache.jars('kafka')}/*"]
    command += ["org.apache.kafka.tools.JmxTool", "--jmx-url", url, "--one-time", "--report-format", "properties"]
    return [*command, "--attributes", "Count", *names]


def _pagepulse(tree: Path, *arguments: str) -> None:
    """In the tree's own environment, if it has one: an earlier state may need other packages."""
    own = tree / ".venv" / "bin" / "python"
    subprocess.run(
        [own if own.exists() else sys.executable, "-m", "deploy.local", *arguments],
        cwd=tree,
        check=True,
        timeout=_COMMAND_S,
    )


async def measure(tree: Path, rates: list[float], seconds: float, brokers: int) -> dict[str, Any]:
    """Starts a stack from ``tree``, measures every rate, and stops it."""
    directory = Path(tempfile.mkdtemp(prefix="pagepulse-overhead-"))
    place = ("--dir", str(directory))
    start = ("up", "--detach", "--port-offset", str(_OFFSET), "--users", str(_USERS), "--brokers", str(brokers))
    began = time.monotonic()
    try:
        await asyncio.to_thread(_pagepulse, tree, *start, *place)
        started = time.monotonic() - began
        state = State(directory)
        counters = Brokers(state)
        async with Services(Ports(_OFFSET)) as services:
            await asyncio.sleep(_SETTLE_S)
            turns = [await _turn(state, counters, services, rate, seconds) for rate in rates]
    finally:
        await asyncio.to_thread(_pagepulse, tree, "down", *place)
        shutil.rmtree(directory, ignore_errors=True)
    return {"brokers": brokers, "start_s": round(started, 1), "turns": turns, "machine": machine()}


async def _turn(state: State, counters: Brokers, services: Services, rate: float, seconds: float) -> dict[str, Any]:
    console.print(f"[dim]{rate:g} events/s[/]")
    if rate:
        await services.generate(rate)
        await asyncio.sleep(_SETTLE_S)
    before, sent = await asyncio.to_thread(counters.counts), await _acknowledged(services) if rate else 0
    meter = Meter(state)
    await asyncio.sleep(seconds)
    used = await asyncio.to_thread(meter.look)
    after, sent = await asyncio.to_thread(counters.counts), (await _acknowledged(services) if rate else 0) - sent
    tables = [Freshness(name) for name in _TABLES] if rate else []
    if tables:
        # Afterwards: its forty queries a second would count as Pinot's work.
        async with TaskSet() as tasks:
            tasks.start(watch(Ports(_OFFSET).url("pinot_broker"), tables), "freshness")
            await asyncio.sleep(seconds)
    if rate:
        await services.halt()
        await asyncio.sleep(2.0)
    elapsed = after.at - before.at
    bytes_in = after.bytes_in - before.bytes_in
    return {
        "rate": rate,
        "events": sent,
        "seconds": round(elapsed, 1),
        "requests": {
            name: round(count / elapsed, 2) for name, count in (after.requests - before.requests).most_common()
        },
        "bytes": dict(bytes_in.most_common()),
        "cores": {name: round(share, 3) for name, (share, _) in used.items()},
        "memory_mib": round(sum(usage.pss_mib for _, usage in used.values())),
        "freshness_ms": {one.table: _percentiles(one) for one in tables},
    }


def _percentiles(one: Freshness) -> dict[str, int]:
    """Nothing where the table has shown no event."""
    return {f"p{share * 100:g}": round(one.percentile(share)) for share in (0.5, 0.99)} if one.samples else {}


async def _acknowledged(services: Services) -> int:
    return int((await services.generation())["acknowledged"])


def figures(result: dict[str, Any]) -> dict[str, list[float | None]]:
    """The lines of the table: one number for each turn."""
    turns = result["turns"]
    lines: dict[str, list[float | None]] = {"requests/s, all": [sum(t["requests"].values()) for t in turns]}
    for kind, title in _KINDS.items():
        lines[title] = [t["requests"].get(kind, 0.0) for t in turns]
    lines["other requests"] = [sum(n for kind, n in t["requests"].items() if kind not in _KINDS) for t in turns]
    lines["bytes per event, all topics"] = [_per_event(t, sum(t["bytes"].values())) for t in turns]
    lines["bytes per event, changelog of ksql"] = [_per_event(t, t["bytes"].get(_CHANGELOG, 0)) for t in turns]
    lines["cores, all"] = [sum(t["cores"].values()) for t in turns]
    for group in ("kafka", "ksql", "generator", "pinot", "connect"):
        title = "cores, brokers" if group == "kafka" else f"cores, {group}"
        lines[title] = [sum(c for name, c in t["cores"].items() if name.startswith(group)) for t in turns]
    lines["memory, MiB"] = [t["memory_mib"] for t in turns]
    for name in _TABLES:
        for share in ("p50", "p99"):
            title = f"freshness {name.removeprefix('pageview_')} {share}, ms"
            lines[title] = [t["freshness_ms"].get(name, {}).get(share) for t in turns]
    return lines


def _per_event(turn: dict[str, Any], size: float) -> float | None:
    return size / turn["events"] if turn["events"] else None


def _number(value: float | None) -> str:
    if value is None or value != value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _heads(result: dict[str, Any], what: str = "") -> list[str]:
    return [f"{'idle' if not t['rate'] else format(t['rate'], ',.0f') + '/s'}{what}" for t in result["turns"]]


def _compared(before: dict[str, Any], after: dict[str, Any]) -> list[list[str]]:
    rows = []
    then, now = figures(before), figures(after)
    for title, values in now.items():
        cells = []
        for old, new in zip(then[title], values, strict=True):
            ratio = f" ({new / old:.2f})" if old and new is not None else ""
            cells.append(f"{_number(old)} → {_number(new)}{ratio}" if new is not None or old is not None else "")
        rows.append([title, *cells])
    return rows


def _loads(result: dict[str, Any]) -> str:
    return " and ".join(f"{load:.1f}" for load in result["machine"]["load_average"][:2])


def section(before: dict[str, Any], after: dict[str, Any], single: dict[str, Any] | None) -> str:
    """The part of docs/performance.md."""
    columns = ["", *_heads(after)]
    text = f"""## What it costs while little happens

`python -m benchmarks.overhead` on the sources of commit 866913c and on later ones, within the hour on the same machine; each with
{after["brokers"]} brokers, {_USERS:,} users. Per second unless a line says otherwise, summed over all brokers; the brokers' own counters.
Each cell: before → now (ratio). Cores and memory (PSS) are those of the stack, before the benchmark's queries for the freshness begin.

{table(columns, _compared(before, after))}

Start until the pipeline is ready: {before["start_s"]:.0f} s before, {after["start_s"]:.0f} s now. Load average at the end, 1 and 5 minutes:
{_loads(before)} before, {_loads(after)} now; what is above 2 is other work on the machine, which changes cores and freshness, not counts.
"""
    if single is not None:
        kept = ("requests/s, all", "bytes per event, all topics", "cores, all", "cores, brokers", "memory, MiB")
        rates = {turn["rate"] for turn in single["turns"]}
        three = {**after, "turns": [turn for turn in after["turns"] if turn["rate"] in rates]}
        lines = [row for row in _compared(three, single) if row[0] in kept or row[0].startswith("freshness")]
        text += f"""
Three brokers → `--brokers {single["brokers"]}` (ratio), both of these sources:

{table(["", *_heads(single)], lines)}

What one broker gives up: every topic has a single copy. While the broker is unavailable nothing can be written or read (with three,
writes pause for seconds until another broker leads), and a damaged data folder loses what was acknowledged. The collector keeps events
in its journal meanwhile; the generator counts as failed what is not acknowledged in time. Three brokers on one machine protect from the
failure of a broker, not of the disk. Statements, tables and results are the same. A folder keeps its number of brokers.
"""
    return f"{text}\n{machine_line(after['machine'])}"


async def main() -> None:
    options = _parse()
    if options.after:
        before, after = (orjson.loads(path.read_bytes()) for path in (options.before, options.after))
        single = orjson.loads(options.single.read_bytes()) if options.single else None
        report("before → now (ratio)", ["", *_heads(after)], _compared(before, after))
        if options.write_docs:
            write_section("overhead", section(before, after, single))
        return
    result = await measure(options.tree.resolve(), options.rates, options.seconds, options.brokers)
    report("Overhead", ["", *_heads(result)], [[title, *map(_number, row)] for title, row in figures(result).items()])
    write_json(options.json, result)


def _parse() -> argparse.Namespace:
    parser = arguments("Broker requests, bytes and CPU of the stack while little happens.")
    parser.add_argument("--tree", type=Path, default=REPOSITORY, help="start the stack from the sources in this folder")
    parser.add_argument("--rates", type=float, nargs="+", default=_RATES, help="events per second; 0 is idle")
    parser.add_argument("--seconds", type=float, default=25.0, help="of measuring at each rate")
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--before", type=Path, metavar="FILE", help="compare: the result of the earlier state")
    parser.add_argument("--after", type=Path, metavar="FILE", help="compare: the result of the present state")
    parser.add_argument("--single", type=Path, metavar="FILE", help="compare: a result with --brokers 1")
    parser.add_argument("--write-docs", action="store_true", help="put the comparison into docs/performance.md")
    options = parser.parse_args()
    if (options.before is None) != (options.after is None):
        parser.error("--before and --after go together")
    return options


if __name__ == "__main__":
    uvloop.run(main())
