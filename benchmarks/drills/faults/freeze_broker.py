"""A broker is stopped for 20 s (SIGSTOP) and comes back with its connections open, not knowing that others lead."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

from benchmarks.drills.scene import Scene

_FROZEN: Final = 20.0


async def strike(scene: Scene) -> None:
    scene.signal(signal.SIGSTOP, "kafka3")
    try:
        await asyncio.sleep(_FROZEN)
    finally:
        scene.signal(signal.SIGCONT, "kafka3")
