"""How long the local stack takes from `pagepulse up` to the first row in every Pinot table, and each component to its first healthy answer.

    python -m benchmarks.startup [--turns 3] [--json FILE] [--write-docs]

Warm: as a second start on a machine that has just run it, with class-data archives, on an empty state folder. Cold: the page cache is
dropped (root only) and there are no archives, as at the very first start after the download. Stacks of its own, one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import uvloop

from benchmarks.document import machine_line, table, write_section
from benchmarks.harness import arguments, console, machine, median, report, write_json
from deploy.local import cache
from deploy.local.board import Board, Health
from deploy.local.options import Options
from deploy.local.ports import Ports
from deploy.local.state import State
from deploy.local.waiting import until
from tests import stack as local_stack
from tests.integration.comparison import DIMENSIONS
from tests.stack import REPOSITORY, Stack

_OFFSET: Final = 6_500
_WITHIN: Final = timedelta(minutes=4)
_LOOK: Final = timedelta(milliseconds=50)
_DROP_CACHES: Final = Path("/proc/sys/vm/drop_caches")
READY: Final = "pipeline ready"
ROWS: Final = "a row in every table"


@dataclass(slots=True)
class Start:
    """Seconds from the command on, by what was reached."""

    moments: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def reached(self, what: str) -> None:
        self.moments.setdefault(what, round(time.monotonic() - self._began, 2))


async def main() -> None:
    options = _parse()
    await _start()  # not measured: whatever is fetched or made once
    warm = [await _start() for _ in range(options.turns)]
    with _no_archives():
        _DROP_CACHES.write_text("3")
        cold = await _start()
    names = [name for name in warm[0].moments if name not in (READY, ROWS)]
    seconds = {
        name: {"warm": median([start.moments[name] for start in warm]), "cold": cold.moments[name]}
        for name in (*names, READY, ROWS)
    }
    result: dict[str, Any] = {"turns": options.turns, "seconds": seconds, "machine": machine()}
    report("Seconds from `pagepulse up`", _COLUMNS, _rows(result))
    write_json(options.json, result)
    if options.write_docs:
        write_section("start-up", section(result))


def _parse() -> argparse.Namespace:
    parser = arguments("How long the local stack takes to start.")
    parser.add_argument("--turns", type=int, default=3, help="warm starts; the median counts")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/performance.md")
    return parser.parse_args()


async def _start() -> Start:
    """Starts and stops a stack in an empty folder, with load as in the demo."""
    directory = Path(tempfile.mkdtemp(prefix="pagepulse-startup-"))
    state = State(directory)
    # Not `pagepulse up` itself, which would make the archives first: this is what it starts when all is installed.
    options = Options(dir=directory, port_offset=_OFFSET)
    command = (sys.executable, "-m", "deploy.local.supervise", json.dumps(options.publish()))
    state.make()
    start = Start()
    with state.log("supervisor").open("ab") as log:
        supervisor = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY, stdout=log, stderr=log)
    try:
        await _follow(state, start)
    finally:
        await asyncio.to_thread(local_stack.stop, Stack(directory, _OFFSET))
        await supervisor.wait()
        shutil.rmtree(directory)
    console.print(f"[dim]{start.moments[ROWS]:.1f} s to {ROWS}[/]")
    return start


async def _follow(state: State, start: Start) -> None:
    """Until every table has a row. Raises TimeoutError."""
    url = Ports(_OFFSET).url("pinot_broker") + "/query/sql"
    empty = set(DIMENSIONS)
    async with httpx.AsyncClient(timeout=2, trust_env=False) as client:

        async def complete() -> bool:
            board = Board.read(state.read_run())
            for name, line in board.lines.items():
                if line.state is Health.HEALTHY:
                    start.reached(name)
            if board.ready_after is None:
                return False
            start.reached(READY)
            for name in sorted(empty):
                if await _has_rows(client, url, name):
                    empty.discard(name)
            return not empty

        if not await until(complete, _WITHIN, _LOOK):
            raise TimeoutError(f"no row in {', '.join(sorted(empty))} after {_WITHIN}")
    start.reached(ROWS)


async def _has_rows(client: httpx.AsyncClient, url: str, name: str) -> bool:
    try:
        answer = (await client.post(url, json={"sql": f"SELECT COUNT(*) FROM {name}"})).json()
        return int(answer["resultTable"]["rows"][0][0]) > 0
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return False


@contextmanager
def _no_archives() -> Iterator[None]:
    """The cache as it is before the first start: jars, but no class-data archives. It lies beside the real one and links to its jars."""
    real = cache.root()
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory(prefix="pagepulse-cache-") as folder:
        (Path(folder) / "pagepulse").mkdir()
        (Path(folder) / "pagepulse" / "jars").symlink_to(real / "jars")
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before


_COLUMNS: Final = ("healthy after", "warm, s", "cold, s")


def _rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    ordered = sorted(result["seconds"].items(), key=lambda entry: float(entry[1]["warm"]))
    return [(name, f"{seconds['warm']:.1f}", f"{seconds['cold']:.1f}") for name, seconds in ordered]


def section(result: dict[str, Any]) -> str:
    return f"""## Start-up

`python -m benchmarks.startup --write-docs`: seconds from the command until each component gave its first healthy answer, until the
pipeline was ready, and until there was a row in every Pinot table. Warm: with class-data archives and a warm page cache, the median of
{result["turns"]} starts on an empty folder. Cold: without archives, the page cache dropped.

{table(_COLUMNS, _rows(result))}

{machine_line(result["machine"])}"""


if __name__ == "__main__":
    uvloop.run(main())
