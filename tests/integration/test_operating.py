"""The stack in an operator's terminal, with real servers: a small one of its own (a broker, MariaDB), beside nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from deploy.local.ports import MARK
from deploy.local.state import State
from tests.patience import STACK_S, eventually
from tests.stack import REPOSITORY

pytestmark = pytest.mark.stack

OFFSET = 5_000


def processes(folder: Path) -> list[str]:
    """Every process of the stack in ``folder``, by the mark in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.name())
        except psutil.Error:
            continue
    return found


def in_a_group_of_its_own(command: str) -> subprocess.Popen[bytes]:
    """As an interactive shell starts a job."""
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.timeout(3 * STACK_S)
async def test_make_demo_behind_tee_leaves_nothing_after_control_c(tmp_path: Path) -> None:
    """The whole group gets SIGINT: make, the shell, tee and the command. tee ends first."""
    folder = tmp_path / "state"
    options = f"--only kafka,mariadb --brokers 1 --port-offset {OFFSET} --dir {folder}"
    job = in_a_group_of_its_own(f'make demo ARGS="{options}" 2>&1 | tee {tmp_path}/log')
    state = State(folder)
    try:
        await eventually(lambda: state.read_run().get("phase") == "ready" or job.poll() is not None, within_s=STACK_S)
        assert job.poll() is None, (tmp_path / "log").read_text()
        assert len(processes(folder)) >= 2
        os.killpg(job.pid, signal.SIGINT)
        await eventually(lambda: not state.supervised() and not processes(folder), within_s=STACK_S)
        assert state.read_run()["phase"] == "stopped"
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        if processes(folder):
            command = (str(REPOSITORY / ".venv/bin/pagepulse"), "down", "--dir", str(folder))
            await (await asyncio.create_subprocess_exec(*command)).wait()
        job.wait()
