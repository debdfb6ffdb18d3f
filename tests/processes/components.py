"""Tiny components: Python processes that write to a journal when they start and when they are asked to stop."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import psutil

from deploy.local.board import Board
from deploy.local.component import Component, Probe
from deploy.local.state import State
from deploy.local.supervisor import Pace, Supervisor
from tests.patience import STEP_S
from tests.patience import eventually as eventually  # noqa: PLC0414 - the tests here take it from this module

POLITE = """
import os, signal, sys
name, folder = sys.argv[1:]
def note(what):
    descriptor = os.open(folder + "/journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{what} {name}\\n".encode())
def stop(*_):
    note("stop")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("start")
open(folder + "/" + name + ".up", "w").write(str(os.getpid()))
while True:
    signal.pause()
"""

STUBBORN = POLITE.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")

WITH_CHILD = POLITE.replace(
    'note("start")',
    'note("start"); import subprocess; open(folder + "/child.pid", "w").write(str(subprocess.Popen(["sleep", "300"]).pid))',
)

QUICK = Pace(probe=timedelta(milliseconds=10), first=timedelta(milliseconds=20), longest=timedelta(milliseconds=40))


def is_up(folder: Path, name: str) -> Probe:
    """Healthy when the component has said that it is up."""

    async def probe() -> None:
        if not (folder / f"{name}.up").exists():
            raise RuntimeError("not up")

    return probe


def fake(
    folder: Path,
    name: str,
    *,
    needs: tuple[str, ...] = (),
    code: str = POLITE,
    stop_within: float = STEP_S,
    health: Probe | None = None,
) -> Component:
    """A component that runs ``code``."""

    async def forget() -> None:
        (folder / f"{name}.up").unlink(missing_ok=True)

    return Component(
        name=name,
        command=(sys.executable, "-c", code, name, str(folder)),
        depends_on=needs,
        prepare=forget,
        health=health or is_up(folder, name),
        stop_within=timedelta(seconds=stop_within),
    )


def supervise(folder: Path, *components: Component, pace: Pace = QUICK) -> tuple[Supervisor, Board, State]:
    """A quick supervisor with its state in ``folder``."""
    state = State(folder / "state")
    state.make()
    board = Board.of(components, state.log, {})
    return Supervisor(components, state, board, pace), board, state


def journal(folder: Path) -> list[str]:
    """What the components wrote, in order."""
    path = folder / "journal"
    return path.read_text().splitlines() if path.exists() else []


def ended(pid: int) -> bool:
    """Whether the process has ended, a zombie too; it may end while it is looked at."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
