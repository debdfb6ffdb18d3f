"""A small disk of its own for one part of the stack, and how it gets full."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BLOCK: Final = b"\0" * (1 << 20)


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A tmpfs in place of the data folder of a part, which needs root. ``size`` as mount has it, e.g. ``64m``."""

    part: str
    size: str

    def mount(self, directory: Path) -> None:
        """Before the stack of this folder starts. Raises CalledProcessError: a tmpfs cannot be mounted here."""
        place = self._place(directory)
        place.mkdir(parents=True)
        subprocess.run(("mount", "-t", "tmpfs", "-o", f"size={self.size},mode=700", "tmpfs", place), check=True)

    def unmount(self, directory: Path) -> None:
        subprocess.run(("umount", self._place(directory)), check=True)

    @asynccontextmanager
    async def full(self, directory: Path) -> AsyncIterator[None]:
        """Full to the last byte within the block."""
        filler = self._place(directory) / "filler"
        try:
            await asyncio.to_thread(_fill, filler)
            yield
        finally:
            filler.unlink(missing_ok=True)

    def _place(self, directory: Path) -> Path:
        return directory / "data" / self.part


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for block in (_BLOCK, b"\0"):
            try:
                while file.write(block) == len(block):
                    pass
            except OSError:
                continue
