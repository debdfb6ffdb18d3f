"""``up --detach``: what it waits for, and what it says when the wait is over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.local import background
from deploy.local.board import Board, Health, Line, Phase
from deploy.local.cli import app
from deploy.local.options import Options
from deploy.local.state import State

run = CliRunner().invoke


def writes(monkeypatch: pytest.MonkeyPatch, board: Board) -> list[subprocess.Popen[bytes]]:
    """The supervisor is a process that lives; what it has published is ``board``."""
    started: list[subprocess.Popen[bytes]] = []

    def spawn(options: Options, state: State) -> subprocess.Popen[bytes]:
        state.write_run(board.publish())
        started.append(subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]))
        return started[0]

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(background, "_spawn", spawn)
    monkeypatch.setattr("deploy.local.setup.ensure", nothing)
    return started


@pytest.mark.parametrize(
    ("phase", "error", "said"),
    [
        (Phase.STARTING, None, "not ready after 1 s; the start continues: pagepulse status"),
        (
            Phase.INCOMPLETE,
            {"reason": "provisioner: the apply failed", "hint": "pagepulse apply tries again"},
            "apply tries",
        ),
    ],
)
def test_what_is_not_ready_is_named_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: Phase, error: dict[str, object] | None, said: str
) -> None:
    lines = {
        "pinot": Line(name="pinot", title="Pinot", state=Health.HEALTHY),
        "dashboard": Line(name="dashboard", title="Dashboard", state=Health.STARTING, note="slow: alive for 60 s"),
    }
    board = Board(Options(dir=tmp_path).publish(), lines, phase=phase, detail="the pipeline is set up", error=error)
    started = writes(monkeypatch, board)
    try:
        done = run(app, ["up", "--detach", "--start-within", "1", "--dir", str(tmp_path)])
        assert done.exit_code == 1
        words = " ".join(done.stdout.split())
        assert said in words
        if error is None:
            assert "still starting: Dashboard" in words
            assert "slow: alive for 60 s" in words
        assert started[0].poll() is None, "nothing is stopped"
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_for_programs_the_answer_is_json_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = writes(monkeypatch, Board(Options(dir=tmp_path).publish(), {}, phase=Phase.READY))
    try:
        done = run(app, ["up", "--detach", "--json", "--dir", str(tmp_path)])
        assert done.exit_code == 0
        assert done.stdout.startswith("{") and '"phase": "ready"' in done.stdout
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_an_interrupt_says_that_the_start_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object) -> Board:
        raise KeyboardInterrupt

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(background, "up", interrupted)
    monkeypatch.setattr("deploy.local.setup.ensure", nothing)
    done = run(app, ["up", "--detach", "--dir", str(tmp_path)])
    assert done.exit_code == 130
    assert "the start continues in the background" in done.stdout
