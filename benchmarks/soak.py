"""A long run under load: does anything grow without bound?

    python -m benchmarks.soak [--minutes 30] [--rate 1000] [--json FILE] [--write-docs]

Every 10 s: memory and open files of each component, records that the queries and Pinot have not read, freshness. At the end a line is laid
through the second half of each series. Starts a stack of its own; the events have every kind of flaw and users change.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks import soak_report
from benchmarks.drills.environment import Environment
from benchmarks.drills.load import Load
from benchmarks.harness import arguments, console, machine, write_json
from benchmarks.usage import of_stack
from deploy.local.errors import StackError
from shared.tasks import TaskSet
from tests import stack as local_stack

_OFFSET: Final = 6_500
_EVERY_S: Final = 10.0

Sample = dict[str, Any]


async def main() -> None:
    options = _parse()
    directory = Path(tempfile.mkdtemp(prefix="pagepulse-soak-"))
    stack = await asyncio.to_thread(local_stack.start, directory, _OFFSET)
    try:
        async with Environment(stack) as environment:
            samples, audit = await _run(environment, options.minutes * 60, options.rate)
    finally:
        await asyncio.to_thread(local_stack.stop, stack)
        shutil.rmtree(directory)
    result: dict[str, Any] = {
        "minutes": options.minutes,
        "rate": options.rate,
        "samples": samples,
        "slopes": soak_report.slopes(samples),
        "equal": bool(audit.get("ok")),
        "machine": machine(),
    }
    soak_report.show(result)
    write_json(options.json, result)
    if options.write_docs:
        soak_report.write_docs(result)


def _parse() -> argparse.Namespace:
    parser = arguments("Memory, open files, lag and freshness over a long run.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=1_000.0, help="events per second")
    parser.add_argument("--write-docs", action="store_true", help="put the plots and slopes into docs/reliability.md")
    return parser.parse_args()


async def _run(environment: Environment, seconds: float, rate: float) -> tuple[list[Sample], dict[str, Any]]:
    load = Load(environment, rate)
    samples: list[Sample] = []
    async with TaskSet() as tasks:
        await load.start()
        tasks.start(load.tend(), "load")
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            samples.append({"t": round(elapsed, 1), **await _sample(environment)})
            console.print(f"[dim]{elapsed / 60:5.1f} min, freshness {samples[-1]['freshness_ms']} ms[/]")
            await asyncio.sleep(_EVERY_S - (time.monotonic() - began) % _EVERY_S)
        await load.stop()
    return samples, await environment.services.verify()


async def _sample(environment: Environment) -> Sample:
    """``lag``: records that some query or Pinot table has not read; None where the provisioner cannot say."""
    usages = await asyncio.to_thread(of_stack, environment.state)
    try:
        status = await environment.services.pipeline(fresh=True)
        lag: int | None = _lag(status["resources"])
        freshness: int | None = status["freshness_ms"]
    except StackError:
        lag = freshness = None
    return {
        "memory_mib": {name: round(usage.rss_mib, 1) for name, usage in usages.items()},
        "files": {name: usage.files for name, usage in usages.items()},
        "lag": lag,
        "freshness_ms": freshness,
    }


def _lag(resources: Sequence[dict[str, Any]]) -> int:
    return sum(r["facts"].get("lag") or r["facts"].get("offset_lag") or 0 for r in resources)


if __name__ == "__main__":
    uvloop.run(main())
