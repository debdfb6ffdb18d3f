"""The disk of one broker is full for 15 s. Its data lie on a small tmpfs, so this needs root."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Final

from benchmarks.drills.environment import Environment

_BROKER: Final = "kafka3"
_SIZE: Final = "400m"
_FULL: Final = 15.0
_BLOCK: Final = b"\0" * (1 << 20)


def prepare(directory: Path) -> None:
    """Raises CalledProcessError: a tmpfs cannot be mounted here."""
    place = directory / "data" / _BROKER
    place.mkdir(parents=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=700", "tmpfs", place), check=True)


def tidy(directory: Path) -> None:
    subprocess.run(("umount", directory / "data" / _BROKER), check=True)


async def strike(environment: Environment) -> None:
    filler = environment.state.data / _BROKER / "filler"
    try:
        await asyncio.to_thread(fill, filler)
        await asyncio.sleep(_FULL)
    finally:
        filler.unlink(missing_ok=True)


def fill(path: Path) -> None:
    """To the last byte."""
    with path.open("wb", buffering=0) as file:
        for block in (_BLOCK, b"\0"):
            try:
                while file.write(block) == len(block):
                    pass
            except OSError:
                continue
