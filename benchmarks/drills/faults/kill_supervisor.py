"""The supervisor is killed: everything runs on without it; the next `up` finds what it left, ends it and starts anew."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.drills.environment import Environment

#: seconds without a supervisor
_ALONE: Final = 10.0


async def strike(environment: Environment) -> None:
    environment.kill("supervisor")
    await asyncio.sleep(_ALONE)


async def remedy(environment: Environment) -> None:
    await environment.up()
