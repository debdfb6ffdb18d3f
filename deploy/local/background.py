"""The supervisor as a process of its own: ``up --detach`` starts it and follows it, ``down`` ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from deploy.local import process
from deploy.local.board import Board, Phase
from deploy.local.errors import AlreadyRunning, StackError
from deploy.local.options import REPOSITORY, Options
from deploy.local.state import State
from deploy.local.waiting import until

if TYPE_CHECKING:
    from rich.console import Console

DOWN_WITHIN = timedelta(minutes=5)
LOOK = timedelta(milliseconds=100)


async def up(options: Options, state: State, console: Console) -> Board:
    """Starts the supervisor and returns when it is ready or has failed, or after ``options.start_within``: then the start goes on.

    Raises StackError if the supervisor is gone without a word.
    """
    from deploy.local import display

    state.make()
    state.clear_run()
    child = _spawn(options, state)

    def board() -> Board | None:
        run = state.read_run()
        return Board.read(run) if run else None

    def settled() -> bool:
        now = board()
        return child.poll() is not None or (now is not None and now.phase in {Phase.READY, Phase.INCOMPLETE})

    # A failure is on the board before the rest is stopped; waiting for the end means that nothing runs when this returns.
    async with display.shown(console, board):
        await until(settled, timedelta(seconds=options.start_within), LOOK)
    final = board()
    if final is None and child.poll() is None:
        raise StackError(
            f"the supervisor has not started after {options.start_within} s; it continues",
            hint="pagepulse status, or pagepulse down",
            log=state.log("supervisor"),
        )
    if final is None:
        raise StackError("the supervisor ended before it started anything", log=state.log("supervisor"))
    return final


def _spawn(options: Options, state: State) -> subprocess.Popen[bytes]:
    """Not asyncio's way of starting a process: that one kills its child when the loop of this short command ends."""
    with state.log("supervisor").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            (sys.executable, "-m", "deploy.local.supervise", json.dumps(options.publish())),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=REPOSITORY,
            start_new_session=True,
        )


async def down(state: State) -> list[str]:
    """Ends the supervisor, which stops everything, and then whatever an earlier one left. Returns what was stopped."""
    stopped = []
    recorded = state.read_pids().get("supervisor")
    if state.supervised() and recorded is not None and recorded.alive():
        stopped = [name for name, line in Board.read(state.read_run()).lines.items() if line.pid is not None]
        _signal(recorded.pid, signal.SIGTERM)
        if not await until(lambda: not recorded.alive(), DOWN_WITHIN):
            _signal(recorded.pid, signal.SIGKILL)
            await until(lambda: not recorded.alive(), process.LEFTOVERS_WITHIN)
    if state.supervised():
        raise AlreadyRunning(
            f"a supervisor holds {state.root} and cannot be found; is it just starting?", hint="try again"
        )
    stopped += await process.end_leftovers(state, process.LEFTOVERS_WITHIN)
    state.clear_pids()
    return stopped


def _signal(pid: int, number: signal.Signals) -> None:
    """A process that has ended by itself meanwhile is no error."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
