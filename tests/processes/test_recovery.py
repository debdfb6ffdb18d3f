"""kill -9 of the supervisor: what it leaves is found and stopped, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from deploy.local import background, process
from deploy.local.options import REPOSITORY
from deploy.local.state import Started, State
from tests.patience import STEP_S, eventually

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from tests.processes.components import fake, supervise

async def main():
    folder = Path(sys.argv[1])
    supervisor, _, state = supervise(folder, fake(folder, "a"), fake(folder, "b", needs=("a",)))
    state.acquire()
    await supervisor.start()
    (folder / "ready").touch()
    await asyncio.Event().wait()

asyncio.run(main())
"""
WITHIN = timedelta(seconds=STEP_S)


def spawn(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)


async def killed_supervisor(folder: Path) -> tuple[State, dict[str, Started]]:
    child = spawn(sys.executable, "-c", SUPERVISOR, str(folder))
    try:
        await eventually((folder / "ready").exists, "a supervisor that is ready")
    finally:
        child.kill()
        child.wait()
    state = State(folder / "state")
    return state, state.read_pids()


async def test_down_stops_what_a_killed_supervisor_left(tmp_path: Path) -> None:
    state, left = await killed_supervisor(tmp_path)
    assert left["a"].alive()
    assert left["b"].alive()
    assert not state.supervised()
    assert sorted(await background.down(state)) == ["a", "b"]
    assert not left["a"].alive()
    assert not left["b"].alive()
    assert state.read_pids() == {}
    assert await background.down(state) == []


async def test_it_is_found_even_if_it_was_never_written_down(tmp_path: Path) -> None:
    state, left = await killed_supervisor(tmp_path)
    state.clear_pids()
    assert len(await process.end_leftovers(state, WITHIN)) == 2
    assert not left["a"].alive()


async def test_a_process_that_got_the_number_later_is_left_alone(tmp_path: Path) -> None:
    stranger = spawn("sleep", "300")
    try:
        state = State(tmp_path)
        state.make()
        started = Started.of(stranger.pid)
        dead = Started(started.pid, started.created - 3600)
        state.write_pids(dead, {"kafka1": dead})
        assert await process.end_leftovers(state, WITHIN) == []
        assert stranger.poll() is None
    finally:
        os.kill(stranger.pid, signal.SIGKILL)
        stranger.wait()


def test_an_ended_process_is_not_alive_even_before_it_is_collected() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = Started.of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not started.alive()
    child.wait()
    assert not started.alive()
