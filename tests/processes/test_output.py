"""Output that nobody reads any more (a closed pipe, a terminal that is gone, a reader that sleeps) never keeps the stack from stopping."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.options import REPOSITORY
from deploy.local.state import State
from tests import stack
from tests.processes.components import ended, eventually, journal

#: the real command `up`, in the foreground, with two components that are Python processes
UP = """
import sys
from pathlib import Path
from deploy.local import cli, java, session, setup, terminal
from tests.processes.components import POLITE, fake

folder = Path(sys.argv[1])
#: stops when it is let, so that the output is lost while it stops
slow = POLITE.replace(
    'note("stop")',
    'note("stop"); import time\\n    while not os.path.exists(folder + "/released"): time.sleep(0.01)',
)
async def nothing(*_, **__): ...
session.all_components = lambda context: [fake(folder, "a"), fake(folder, "b", needs=("a",), code=slow)]
setup.ensure = nothing
terminal.STALLED_AFTER = 0.2
java.require = lambda: Path("/bin/true")
cli.app(["up", "--no-demo", "--dir", str(folder / "state")])
"""


@contextmanager
def group(command: str, folder: Path, stdout: int, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A shell command as a job of its own, as an interactive shell starts it: one process group, ended whatever happens."""
    environment = {**os.environ, "UP": UP, "PY": sys.executable, "FOLDER": str(folder), "PYTHONPATH": str(REPOSITORY)}
    job = subprocess.Popen(
        # SIGHUP as a terminal's shell has it, also when the tests themselves run under nohup
        ["env", "--default-signal=HUP", "/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )
    try:
        yield job
    finally:
        for pid in (
            job.pid,
            *(started.pid for started in State(folder / "state").read_pids().values() if started.alive()),
        ):
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        job.wait()


async def everything_up(job: subprocess.Popen[bytes], folder: Path) -> list[int]:
    """The pids of the two components, once both run and the run is ready."""
    state = State(folder / "state")
    await eventually(lambda: state.read_run().get("phase") == "ready" or job.poll() is not None, "the run is ready")
    assert job.poll() is None, "it has ended by itself"
    return [started.pid for name, started in state.read_pids().items() if name != "supervisor"]


def gone(pids: list[int]) -> bool:
    return all(ended(pid) for pid in pids)


def ignores(pid: int, number: signal.Signals) -> bool:
    ignored = re.search(r"^SigIgn:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return ignored is not None and bool(int(ignored[1], 16) & 1 << (number - 1))


async def stopping(folder: Path) -> None:
    await eventually(lambda: "stop b" in journal(folder), "the second component is stopping")


async def stopped_in_order(folder: Path, pids: list[int]) -> None:
    await stopping(folder)
    (folder / "released").touch()
    await eventually(
        lambda: gone(pids) and not State(folder / "state").supervised(), "both components and the supervisor are gone"
    )
    assert journal(folder)[-2:] == ["stop b", "stop a"]
    assert State(folder / "state").read_run()["phase"] == "stopped"


async def test_control_c_behind_tee_stops_everything(tmp_path: Path) -> None:
    """SIGINT goes to the whole group; tee dies at once, and every later line of the command meets a closed pipe."""
    with group('"$PY" -c "$UP" "$FOLDER" 2>&1 | tee log', tmp_path, stdout=subprocess.DEVNULL) as job:
        pids = await everything_up(job, tmp_path)
        os.killpg(job.pid, signal.SIGINT)
        await stopped_in_order(tmp_path, pids)
    assert "Traceback" not in (tmp_path / "log").read_text()


async def test_a_reader_that_ends_is_no_reason_to_end(tmp_path: Path) -> None:
    with group('"$PY" -c "$UP" "$FOLDER" 2>&1 | head -n 1', tmp_path, stdout=subprocess.DEVNULL) as job:
        pids = await everything_up(job, tmp_path)
        assert not gone(pids)
        supervisor = State(tmp_path / "state").read_pids()["supervisor"]
        os.kill(supervisor.pid, signal.SIGTERM)
        await stopped_in_order(tmp_path, pids)
        job.wait()


async def test_a_reader_that_sleeps_cannot_hold_up_the_stop(tmp_path: Path) -> None:
    """The pipe is full and stays so, as with a pager that was suspended."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    with group('exec "$PY" -c "$UP" "$FOLDER" 2>&1', tmp_path, stdout=writing) as job:
        pids = await everything_up(job, tmp_path)
        os.kill(job.pid, signal.SIGTERM)
        await stopped_in_order(tmp_path, pids)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("ended_by", ["hangup", "hangup while it stops"])
async def test_a_terminal_that_is_closed_stops_everything(tmp_path: Path, ended_by: str) -> None:
    mine, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with group('exec "$PY" -c "$UP" "$FOLDER"', tmp_path, stdout=theirs, stderr=theirs) as job:
        os.close(theirs)
        pids = await everything_up(job, tmp_path)
        if ended_by == "hangup while it stops":
            os.killpg(job.pid, signal.SIGINT)
            await stopping(tmp_path)
        os.close(mine)
        os.killpg(job.pid, signal.SIGHUP)
        await stopped_in_order(tmp_path, pids)


async def test_under_nohup_a_terminal_may_be_closed(tmp_path: Path) -> None:
    with group('exec nohup "$PY" -c "$UP" "$FOLDER" >log 2>&1', tmp_path, stdout=subprocess.DEVNULL) as job:
        pids = await everything_up(job, tmp_path)
        assert ignores(job.pid, signal.SIGHUP)
        os.killpg(job.pid, signal.SIGHUP)
        os.killpg(job.pid, signal.SIGTERM)
        await stopped_in_order(tmp_path, pids)


async def test_after_kill_9_status_says_what_runs_and_what_to_do(tmp_path: Path) -> None:
    def pagepulse(*arguments: str) -> subprocess.CompletedProcess[str]:
        return stack.pagepulse(*arguments, "--dir", str(tmp_path / "state"))

    with group('exec "$PY" -c "$UP" "$FOLDER"', tmp_path, stdout=subprocess.DEVNULL) as job:
        pids = await everything_up(job, tmp_path)
        os.kill(job.pid, signal.SIGKILL)
        job.wait()
        said = pagepulse("status")
        assert said.returncode == 1
        words = " ".join(said.stdout.split())
        assert "was killed. Without it these still run: a, b." in words
        assert "`pagepulse down` stops them" in words
        found = json.loads(pagepulse("status", "--json").stdout)
        assert sorted(found["left"].values()) == sorted(pids)
        assert (found["running"], found["ready"]) == (False, False)
        assert {c["state"] for c in found["components"].values()} == {"unsupervised"}

        (tmp_path / "released").touch()
        down = pagepulse("down")
        assert down.stdout == "stopped: a, b\n"
        assert gone(pids)
        assert "nothing runs in" in pagepulse("status").stdout
