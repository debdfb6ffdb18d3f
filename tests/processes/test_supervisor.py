from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from deploy.local import process
from deploy.local.board import Health
from deploy.local.component import Component
from deploy.local.errors import ComponentFailed
from deploy.local.state import State
from tests.patience import STEP_S
from tests.processes.components import QUICK, STUBBORN, WITH_CHILD, ended, eventually, fake, journal, supervise

IMPATIENT = dataclasses.replace(QUICK, ready_within=timedelta(milliseconds=300), attempts=2)


async def test_starts_in_dependency_order_and_stops_in_reverse(tmp_path: Path) -> None:
    supervisor, board, state = supervise(
        tmp_path, fake(tmp_path, "c", needs=("b",)), fake(tmp_path, "b", needs=("a",)), fake(tmp_path, "a")
    )
    await supervisor.start()
    assert board.all_healthy()
    assert {name for name, started in state.read_pids().items() if started.alive()} == {"supervisor", "a", "b", "c"}
    await supervisor.stop()
    assert journal(tmp_path) == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert [line.state for line in board.lines.values()] == [Health.STOPPED] * 3


async def test_starts_in_parallel_what_may(tmp_path: Path) -> None:
    both = asyncio.Barrier(2)

    async def together() -> None:
        async with asyncio.timeout(STEP_S):
            await both.wait()

    supervisor, board, _ = supervise(
        tmp_path, fake(tmp_path, "a", health=together), fake(tmp_path, "b", health=together)
    )
    await supervisor.start()
    assert board.all_healthy()
    await supervisor.stop()


async def test_a_component_gets_its_priority(tmp_path: Path) -> None:
    # Giving way is permitted to everybody; coming first is not.
    supervisor, board, _ = supervise(
        tmp_path, dataclasses.replace(fake(tmp_path, "a"), niceness=5), fake(tmp_path, "b")
    )
    await supervisor.start()
    given = {name: psutil.Process(line.pid).nice() for name, line in board.lines.items()}
    assert given["a"] == 5
    assert given["b"] == psutil.Process().nice()
    await supervisor.stop()


async def test_restarts_what_ends_and_says_so(tmp_path: Path) -> None:
    supervisor, board, state = supervise(tmp_path, fake(tmp_path, "a"))
    await supervisor.start()
    first = board.lines["a"].pid
    assert first is not None
    notes: list[str] = []
    board.listeners.append(lambda: notes.append(board.lines["a"].note))
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: board.lines["a"].restarts == 1 and board.lines["a"].state is Health.HEALTHY)
    assert board.lines["a"].pid != first
    assert state.read_pids()["a"].pid == board.lines["a"].pid
    assert any("ended unexpectedly (killed by SIGKILL), restart 1 in 0.02 s" in note for note in notes)
    assert "restarted (1 in all)" in board.lines["a"].note
    await supervisor.stop()


async def test_goes_on_trying_with_growing_pauses(tmp_path: Path) -> None:
    code = "import os, signal, sys\nsys.exit(3) if os.path.exists(sys.argv[2] + '/broken') else None\n"
    code += "open(sys.argv[2] + '/a.up', 'w').close()\nsignal.pause()"
    supervisor, board, _ = supervise(tmp_path, fake(tmp_path, "a", code=code))
    await supervisor.start()
    notes: list[str] = []
    board.listeners.append(lambda: notes.append(board.lines["a"].note))
    (tmp_path / "broken").touch()
    pid = board.lines["a"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: board.lines["a"].restarts >= 3)
    assert any("restart 2 in 0.04 s" in note for note in notes)
    assert any("ended while starting (exit code 3)" in note for note in notes)
    (tmp_path / "broken").unlink()
    await eventually(lambda: board.lines["a"].state is Health.HEALTHY)
    await supervisor.stop()


@pytest.mark.parametrize("ended_at_once", [False, True])
async def test_a_first_start_that_fails_names_component_reason_and_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_at_once: bool
) -> None:
    if ended_at_once:

        async def start(component: Component, state: State) -> asyncio.subprocess.Process:
            child = await process.start(component, state)
            await child.wait()
            return child

        monkeypatch.setattr(
            "deploy.local.supervisor.process", SimpleNamespace(start=start, end_group=process.end_group)
        )
    bad = fake(tmp_path, "bad", code="import sys; print('the disk is full'); sys.exit(7)")
    supervisor, board, state = supervise(tmp_path, fake(tmp_path, "good"), bad)
    with pytest.raises(ComponentFailed) as failed:
        await supervisor.start()
    assert failed.value.component == "bad"
    assert "exit code 7" in failed.value.reason
    assert failed.value.log == state.log("bad")
    assert failed.value.tail[-1] == "the disk is full"
    assert board.lines["bad"].state is Health.FAILED
    await supervisor.stop()
    assert not [name for name, started in state.read_pids().items() if started.alive() and name != "supervisor"]


async def test_a_component_that_ends_at_first_is_started_again(tmp_path: Path) -> None:
    """On a busy machine a server's own time-outs end it: the next start finds the others up."""
    code = (
        "import os, pathlib, signal, sys\ntried = pathlib.Path(sys.argv[2]) / 'tried'\n"
        "if not tried.exists(): tried.touch(); sys.exit(3)\n"
        "(pathlib.Path(sys.argv[2]) / 'a.up').touch(); signal.pause()"
    )
    supervisor, board, _ = supervise(tmp_path, fake(tmp_path, "a", code=code))
    await supervisor.start()
    assert board.lines["a"].state is Health.HEALTHY
    assert board.lines["a"].note == "ended while starting (exit code 3), restarted (1 in all)"
    await supervisor.stop()


async def test_a_slow_component_is_waited_for_reported_and_takes_nothing_down(tmp_path: Path) -> None:
    answers = 0

    async def at_last() -> None:
        nonlocal answers
        answers += 1
        # up, too: on a busy machine it may be called slow before it has done anything
        if "slow: alive for" not in board.lines["slow"].note or not (tmp_path / "slow.up").exists():
            raise RuntimeError("still loading")

    pace = dataclasses.replace(QUICK, slow=timedelta(milliseconds=50))
    supervisor, board, _ = supervise(
        tmp_path, fake(tmp_path, "good"), fake(tmp_path, "slow", health=at_last), pace=pace
    )
    notes: list[str] = []
    board.listeners.append(lambda: notes.append(board.lines["slow"].note))
    await supervisor.start()
    assert board.all_healthy()
    assert any("not healthy yet (RuntimeError: still loading)" in note for note in notes)
    assert [line.restarts for line in board.lines.values()] == [0, 0]
    assert sorted(journal(tmp_path)) == ["start good", "start slow"]
    await supervisor.stop()


async def test_the_healthy_ones_can_be_used_before_the_last_is_up(tmp_path: Path) -> None:
    late = asyncio.Event()

    async def up() -> None:
        if not late.is_set():
            raise RuntimeError("not yet")

    supervisor, board, _ = supervise(tmp_path, fake(tmp_path, "a"), fake(tmp_path, "b", health=up))
    starting = asyncio.create_task(supervisor.start())
    await supervisor.healthy(["a"])
    assert [line.name for line in board.unhealthy()] == ["b"]
    late.set()
    await starting
    await supervisor.stop()


async def test_a_component_that_never_gets_healthy_reports_its_last_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow_start(component: Component, state: State) -> asyncio.subprocess.Process:
        # a busy machine: the time in which it must be healthy has not begun
        await asyncio.sleep(2 * IMPATIENT.ready_within.total_seconds())
        return await process.start(component, state)

    async def never() -> None:
        raise RuntimeError("still loading")

    monkeypatch.setattr(
        "deploy.local.supervisor.process", SimpleNamespace(start=slow_start, end_group=process.end_group)
    )
    supervisor, board, _ = supervise(tmp_path, fake(tmp_path, "a", health=never), pace=IMPATIENT)
    with pytest.raises(ComponentFailed, match=r"not healthy after .* still loading"):
        await supervisor.start()
    assert board.lines["a"].restarts == IMPATIENT.attempts - 1
    await supervisor.stop()


async def test_a_program_that_does_not_exist(tmp_path: Path) -> None:
    component = fake(tmp_path, "a")
    object.__setattr__(component, "command", ("/does/not/exist",))
    supervisor, _, _ = supervise(tmp_path, component)
    with pytest.raises(ComponentFailed, match="cannot be started"):
        await supervisor.start()
    await supervisor.stop()


async def test_kills_what_ignores_sigterm(tmp_path: Path) -> None:
    supervisor, board, _ = supervise(tmp_path, fake(tmp_path, "a", code=STUBBORN, stop_within=0.3))
    await supervisor.start()
    pid = board.lines["a"].pid
    await supervisor.stop()
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert "killed after" in board.lines["a"].note


async def test_ends_the_children_of_a_component_too(tmp_path: Path) -> None:
    supervisor, _, _ = supervise(tmp_path, fake(tmp_path, "a", code=WITH_CHILD))
    await supervisor.start()
    child = int((tmp_path / "child.pid").read_text())
    assert not ended(child)
    await supervisor.stop()
    assert ended(child)


async def test_stopping_in_the_middle_of_a_start_leaves_nothing(tmp_path: Path) -> None:
    async def never() -> None:
        raise RuntimeError("not yet")

    supervisor, board, state = supervise(tmp_path, fake(tmp_path, "a", health=never), fake(tmp_path, "b", needs=("a",)))
    starting = asyncio.create_task(supervisor.start())
    await eventually(lambda: board.lines["a"].pid is not None)
    started = state.read_pids()["a"]
    starting.cancel()
    await supervisor.stop()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not started.alive()
    assert board.lines["b"].state is Health.STOPPED


async def test_the_log_has_the_components_output(tmp_path: Path) -> None:
    code = "import signal, sys; print('hello', file=sys.stderr, flush=True); open(sys.argv[2] + '/a.up', 'w'); signal.pause()"
    supervisor, _, state = supervise(tmp_path, fake(tmp_path, "a", code=code))
    await supervisor.start()
    assert "hello" in state.log("a").read_text()
    await supervisor.stop()


async def test_a_probe_that_swallows_a_cancel_cannot_hold_up_the_stop(tmp_path: Path) -> None:
    swallowed = 0

    async def deaf() -> None:
        nonlocal swallowed
        try:
            await asyncio.sleep(300)
        except asyncio.CancelledError:
            swallowed += 1
            if swallowed > 2:
                raise
            raise RuntimeError("taken for a time-out") from None

    supervisor, board, state = supervise(tmp_path, fake(tmp_path, "a", health=deaf))
    starting = asyncio.create_task(supervisor.start())
    await eventually(lambda: board.lines["a"].state is Health.STARTING)
    started = state.read_pids()["a"]
    starting.cancel()
    async with asyncio.timeout(STEP_S):
        await supervisor.stop()
    assert swallowed > 1
    assert not started.alive()
    assert starting.cancelled() or await asyncio.wait({starting}, timeout=STEP_S)


async def test_a_probe_that_swallows_its_time_out_cannot_start_for_ever(tmp_path: Path) -> None:
    async def deaf() -> None:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            raise RuntimeError("taken for a time-out") from None
        raise RuntimeError("not yet")

    supervisor, _, _ = supervise(tmp_path, fake(tmp_path, "a", health=deaf), pace=IMPATIENT)
    with pytest.raises(ComponentFailed, match="not healthy after"):
        async with asyncio.timeout(STEP_S):
            await supervisor.start()
    await supervisor.stop()
