"""One fault at a time under load, each followed by the proof that nothing is lost and nothing counted twice.

    python -m benchmarks.drills [--only NAME ...] [--json FILE] [--write-docs]     all take about 20 minutes
    python -m benchmarks.drills --list

Starts stacks of its own. With --only, the rows of other drills that FILE has already are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.drills import report
from benchmarks.drills.all import DRILLS, named
from benchmarks.drills.drill import Drill, Outcome, Pace
from benchmarks.drills.environment import Environment
from benchmarks.drills.run import run_drill
from benchmarks.harness import arguments, console, machine, write_json
from tests import stack as local_stack

#: clear of a demo, of the tests and of the other benchmarks
_OFFSET: Final = 6_500
#: an audit reads everything that a stack ever got, so none serves for too long
_DRILLS_PER_STACK: Final = 6


async def main() -> None:
    options = _parse()
    if options.list:
        for drill in DRILLS:
            console.print(f"{drill.name:20}{drill.fault}")
        return
    chosen = [named(name) for name in options.only] if options.only else list(DRILLS)
    pace = Pace(rate=options.rate)
    kept = report.read(options.json) if options.only else []
    outcomes: list[Outcome] = []

    def record(outcome: Outcome) -> None:
        outcomes.append(outcome)
        report.show(outcome)
        rows = report.merged(kept, [outcome.publish() for outcome in outcomes])
        result: dict[str, Any] = {"drills": rows, "machine": machine()}
        write_json(options.json, result)
        if options.write_docs:
            report.write_docs(rows, result["machine"], pace.rate)

    while left := chosen[len(outcomes) :]:
        await _on_a_stack(left, pace, record)
    if not all(outcome.passed for outcome in outcomes):
        sys.exit(1)


def _parse() -> argparse.Namespace:
    parser = arguments("One fault at a time under load, then the proof that nothing is lost or doubled.")
    names = [drill.name for drill in DRILLS]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help="only these drills")
    parser.add_argument("--list", action="store_true", help="name the drills and end")
    parser.add_argument("--rate", type=float, default=Pace().rate, help="events per second")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/reliability.md")
    return parser.parse_args()


async def _on_a_stack(drills: Sequence[Drill], pace: Pace, record: Callable[[Outcome], None]) -> None:
    """As many of the first drills as can share a stack: after one that failed, the same fault would be reported again."""
    async with _environment(drills[0]) as environment:
        for drill in _sharing(drills):
            began = time.monotonic()

            def say(step: str, drill: Drill = drill, began: float = began) -> None:
                console.print(f"[dim]{drill.name} {time.monotonic() - began:5.1f} s: {step}[/]")

            outcome = await run_drill(drill, environment, pace, say)
            record(outcome)
            if not outcome.passed:
                break
    if outcome.passed:
        shutil.rmtree(environment.state.root)
    else:
        console.print(f"kept for a look: {environment.state.root}")


def _sharing(drills: Sequence[Drill]) -> Iterator[Drill]:
    """A drill with a disk is alone on its stack."""
    for drill in drills[: 1 if drills[0].disk else _DRILLS_PER_STACK]:
        if drill.disk and drill is not drills[0]:
            return
        yield drill


@asynccontextmanager
async def _environment(drill: Drill) -> AsyncIterator[Environment]:
    directory = Path(tempfile.mkdtemp(prefix="pagepulse-drill-"))
    try:
        if drill.disk:
            drill.disk.mount(directory)
        stack = await asyncio.to_thread(local_stack.start, directory, _OFFSET)
        try:
            async with Environment(stack) as environment:
                yield environment
        finally:
            await asyncio.to_thread(local_stack.stop, stack)
    finally:
        if drill.disk:
            drill.disk.unmount(directory)


if __name__ == "__main__":
    uvloop.run(main())
