"""The disk of the collector's journal is full for 10 s. The journal is on a small tmpfs, so this needs root."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Final

from benchmarks.drills.environment import Environment
from benchmarks.drills.faults.disk_full import fill
from benchmarks.drills.visitors import Visitors

_JOURNAL: Final = "collector"
_SIZE: Final = "64m"
_FULL_S: Final = 10.0
_EVENTS: Final = 5_000


def prepare(directory: Path) -> None:
    """Raises CalledProcessError: a tmpfs cannot be mounted here."""
    place = directory / "data" / _JOURNAL
    place.mkdir(parents=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=700", "tmpfs", place), check=True)


def tidy(directory: Path) -> None:
    subprocess.run(("umount", directory / "data" / _JOURNAL), check=True)


async def strike(environment: Environment) -> None:
    visitors = Visitors(environment)
    await visitors.send(_EVENTS)
    filler = environment.state.data / _JOURNAL / "filler"
    await asyncio.to_thread(fill, filler)
    sending = asyncio.create_task(visitors.send(_EVENTS))
    try:
        await asyncio.sleep(_FULL_S)
    finally:
        filler.unlink(missing_ok=True)
        await sending
    if not visitors.refusals or not all(int(headers.get("Retry-After", 0)) > 0 for headers in visitors.refusals):
        raise AssertionError("a full disk must be answered with 503 and Retry-After")
    visitors.count()
