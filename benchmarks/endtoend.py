"""The whole pipeline under load: how old an event is when Pinot shows it, and what each component needs for that.

    python -m benchmarks.endtoend [--rates 100 1000 5000 20000] [--seconds 40] [--json FILE] [--write-docs]

Starts a stack of its own. The first figures are those of the idle stack.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.document import machine_line, table, write_section
from benchmarks.freshness import Freshness, watch
from benchmarks.harness import arguments, console, machine, report, write_json
from benchmarks.usage import Meter, total
from deploy.local.client import Services
from deploy.local.ports import Ports
from deploy.local.state import State
from shared.tasks import TaskSet
from tests import stack as local_stack
from tests.stack import Stack

_OFFSET: Final = 6_500
_RATES: Final = (100.0, 1_000.0, 5_000.0, 20_000.0)
#: after a start, and after a change of the rate
_SETTLE_S: Final = 10.0
_IDLE_S: Final = 20.0
#: the longest way through the pipeline (joined, then counted), and the shortest
TABLES: Final = ("pageview_country", "pageview_tumbling")
#: steady: all is acknowledged, and events are not older in the last third than in the first, but for noise
_ACHIEVED: Final = 0.97
_GROWTH_MS: Final = 1_000.0
_SHARES: Final = {"p50": 0.50, "p95": 0.95, "p99": 0.99}

Components = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Bench:
    """A running stack and what measures it."""

    state: State
    services: Services
    broker_url: str


async def main() -> None:
    options = _parse()
    directory = Path(tempfile.mkdtemp(prefix="pagepulse-endtoend-"))
    stack = await asyncio.to_thread(local_stack.start, directory, _OFFSET)
    try:
        result = await _measure(stack, options.rates, options.seconds)
    finally:
        await asyncio.to_thread(local_stack.stop, stack)
        shutil.rmtree(directory)
    result["machine"] = machine()
    _show(result)
    write_json(options.json, result)
    if options.write_docs:
        write_section("end to end", section(result))


def _parse() -> argparse.Namespace:
    parser = arguments("Freshness, CPU and memory of the whole pipeline at several rates.")
    parser.add_argument("--rates", type=float, nargs="+", default=_RATES, help="events per second")
    parser.add_argument("--seconds", type=float, default=40.0, help="of measuring at each rate")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/performance.md")
    return parser.parse_args()


async def _measure(stack: Stack, rates: list[float], seconds: float) -> dict[str, Any]:
    ports = Ports(stack.offset)
    async with Services(ports) as services:
        bench = Bench(State(stack.directory), services, ports.url("pinot_broker"))
        await asyncio.sleep(_SETTLE_S)
        console.print("[dim]idle[/]")
        idle = await _usage(bench, _IDLE_S)
        turns = []
        for rate in rates:
            console.print(f"[dim]{rate:,.0f} events/s[/]")
            turns.append(await _turn(bench, rate, seconds))
    return {"idle": idle, "rates": turns}


async def _usage(bench: Bench, seconds: float) -> Components:
    """Cores over that time, and memory at its end."""
    meter = Meter(bench.state)
    await asyncio.sleep(seconds)
    found = await asyncio.to_thread(meter.look)
    usages: Components = {
        name: {"cores": round(cores, 3), "rss_mib": round(usage.rss_mib), "pss_mib": round(usage.pss_mib)}
        for name, (cores, usage) in found.items()
    }
    whole = total(usage for _, usage in found.values())
    usages["all"] = {
        "cores": round(sum(cores for cores, _ in found.values()), 3),
        "rss_mib": round(whole.rss_mib),
        "pss_mib": round(whole.pss_mib),
    }
    return usages


async def _turn(bench: Bench, rate: float, seconds: float) -> dict[str, Any]:
    """One rate: a while to settle, then the measurement, then stop."""
    await bench.services.generate(rate)
    await asyncio.sleep(_SETTLE_S)
    before = await bench.services.generation()
    tables = [Freshness(name) for name in TABLES]
    began = time.time()
    async with TaskSet() as tasks:
        tasks.start(watch(bench.broker_url, tables), "freshness")
        usages = await _usage(bench, seconds)
    elapsed = time.time() - began
    after = await bench.services.generation()
    await bench.services.halt()
    achieved = (after["acknowledged"] - before["acknowledged"]) / elapsed
    growth = max(_growth(one, began, elapsed) for one in tables)
    return {
        "rate": rate,
        "achieved": round(achieved, 1),
        "steady": achieved >= _ACHIEVED * rate and growth < _GROWTH_MS,
        "freshness_ms": {
            one.table: {name: round(one.percentile(share)) for name, share in _SHARES.items()} for one in tables
        },
        "components": usages,
    }


def _growth(one: Freshness, began: float, elapsed: float) -> float:
    """By how many milliseconds the median is higher in the last third than in the first."""
    first = sorted(age for at, age in one.samples if at < began + elapsed / 3)
    last = sorted(age for at, age in one.samples if at >= began + elapsed * 2 / 3)
    if not first or not last:
        return float("inf")
    return last[len(last) // 2] - first[len(first) // 2]


def _rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = [("idle", "", "", *[""] * 6, *_whole(result["idle"]))]
    for turn in result["rates"]:
        ages = [f"{turn['freshness_ms'][name][share]:,}" for name in TABLES for share in _SHARES]
        steady = "yes" if turn["steady"] else "no"
        rows.append((f"{turn['rate']:,.0f}", f"{turn['achieved']:,.0f}", steady, *ages, *_whole(turn["components"])))
    return rows


def _whole(usages: Components) -> tuple[str, str]:
    return f"{usages['all']['cores']:.2f}", f"{usages['all']['pss_mib'] / 1024:.2f}"


_COLUMNS: Final = (
    "events/s",
    "acknowledged/s",
    "steady",
    *(f"{name.removeprefix('pageview_')} {share}, ms" for name in TABLES for share in _SHARES),
    "cores",
    "memory, GiB",
)


def _component_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    turns = [result["idle"], *(turn["components"] for turn in result["rates"])]
    names = list(turns[-1])
    none = {"cores": 0.0, "pss_mib": 0.0}
    return [
        (
            name,
            *(f"{turn.get(name, none)['cores']:.2f}" for turn in turns),
            *(f"{turn.get(name, none)['pss_mib']:,.0f}" for turn in (turns[0], turns[-1])),
        )
        for name in names
    ]


def _component_columns(result: dict[str, Any]) -> tuple[str, ...]:
    rates = ["idle", *(f"{turn['rate']:,.0f}/s" for turn in result["rates"])]
    return ("component", *(f"cores, {rate}" for rate in rates), f"MiB, {rates[0]}", f"MiB, {rates[-1]}")


def _show(result: dict[str, Any]) -> None:
    report("From event time to visible in Pinot", _COLUMNS, _rows(result))
    report("By component", _component_columns(result), _component_rows(result))


def section(result: dict[str, Any]) -> str:
    return f"""## From a click to the chart

`python -m benchmarks.endtoend --write-docs`: the whole local stack with its three brokers, the generator included. Age of an event
when a query on Pinot first shows it, from its event time on; `country` is joined with the users and then counted, `tumbling` is counted
only. Steady: everything is acknowledged at the rate asked for, and the age does not grow. Memory is PSS: what processes share is counted
once.

{table(_COLUMNS, _rows(result))}

{table(_component_columns(result), _component_rows(result))}

{machine_line(result["machine"])}"""


if __name__ == "__main__":
    uvloop.run(main())
