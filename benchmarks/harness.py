"""What the benchmarks share: facts about the machine, medians of repeated turns, JSON for the documentation."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
from rich.console import Console
from rich.table import Table

console = Console(highlight=False)


def machine() -> dict[str, Any]:
    """Where the numbers come from. ``load_average`` says whether the machine had anything else to do."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def spread(values: Sequence[float]) -> str:
    """Lowest to highest, for a table."""
    return f"{min(values):,.0f} - {max(values):,.0f}"


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the option that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here")
    return parser


def report(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def write_json(path: Path | None, result: dict[str, Any]) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
        console.print(f"written to {path}")


@contextmanager
def busy(loops: int, seconds: float) -> Iterator[None]:
    """So many processes that compute, each in a session of its own; they end with the block, or by themselves after ``seconds``."""
    processes = [multiprocessing.get_context("spawn").Process(target=_spin, args=(seconds,)) for _ in range(loops)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _spin(seconds: float) -> None:
    os.setsid()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(10_000))
