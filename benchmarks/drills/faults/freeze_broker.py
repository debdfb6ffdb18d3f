"""A broker is stopped for 20 s (SIGSTOP) and comes back with its connections open, not knowing that others lead."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

from benchmarks.drills.environment import Environment

_FROZEN: Final = 20.0


async def strike(environment: Environment) -> None:
    environment.signal(signal.SIGSTOP, "kafka3")
    try:
        await asyncio.sleep(_FROZEN)
    finally:
        environment.signal(signal.SIGCONT, "kafka3")
