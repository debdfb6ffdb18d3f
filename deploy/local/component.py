"""The description of one component: what to run, what it needs, and how to know that it is well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

Probe = Callable[[], Awaitable[None]]
"""Asks the component something real. Returns if it is healthy, raises if it is not (yet)."""


async def nothing() -> None:
    """The probe and the preparation of a component that needs none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One process (and what it forks), in a process group of its own.

    ``prepare`` runs before every start and must be repeatable. ``stop_within`` is the time between SIGTERM and SIGKILL. ``niceness``: the
    scheduling priority, -20 (first) to 19; below 0 only where the system permits it, which it does for root.
    """

    name: str
    command: tuple[str, ...]
    title: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    ports: tuple[int, ...] = ()
    url: str | None = None
    depends_on: tuple[str, ...] = ()
    prepare: Probe = nothing
    health: Probe = nothing
    stop_within: timedelta = timedelta(seconds=10)
    niceness: int = 0


async def run_to_end(
    command: tuple[str, ...],
    *,
    log: Path,
    deadline: timedelta,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> int:
    """Runs a helper program, appends its output to ``log`` and returns its exit code.

    Raises TimeoutError after ``deadline``; the program is killed in that case and when the caller is cancelled.
    """
    with log.open("ab") as output:
        options: dict[str, Any] = {
            "stdout": output,
            "stderr": output,
            "stdin": asyncio.subprocess.DEVNULL,
            "start_new_session": True,
        }
        process = await asyncio.create_subprocess_exec(*command, env=env, cwd=cwd, **options)
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
