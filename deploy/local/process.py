"""Starting and ending process groups. Only groups that were started here are ever signalled."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from deploy.local.component import Component
from deploy.local.ports import MARK
from deploy.local.state import State
from deploy.local.waiting import until

LEFTOVERS_WITHIN = timedelta(seconds=10)
KILL_WITHIN = timedelta(seconds=5)


async def start(component: Component, state: State) -> asyncio.subprocess.Process:
    """Starts the component as the leader of a new session; its output goes to the end of its log."""
    log = state.log(component.name)
    with log.open("ab") as output:
        output.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: start\n".encode())
        output.flush()
        process = await asyncio.create_subprocess_exec(
            *component.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=component.cwd,
            env={**os.environ, **component.env, MARK: str(state.root)},
            start_new_session=True,
        )
    if component.niceness:
        _prioritise(process.pid, component.niceness)
    return process


def _prioritise(leader: int, niceness: int) -> None:
    """Linux shares the cores between sessions before it does so within one, so the session gets the priority too. Best effort: the
    component works without it."""
    with suppress(psutil.Error, OSError):
        psutil.Process(leader).nice(niceness)
        Path(f"/proc/{leader}/autogroup").write_text(str(niceness))


async def end_group(leader: int, within: timedelta) -> bool:
    """SIGTERM to the group, SIGKILL to what is left of it after ``within``. True if SIGTERM was enough.

    The group's number cannot be reused as long as any member lives, and the caller started the leader.
    """
    if not _signal_group(leader, signal.SIGTERM):
        return True
    if await _has_ended(leader, within):
        return True
    _signal_group(leader, signal.SIGKILL)
    await _has_ended(leader, KILL_WITHIN)
    return False


async def end_leftovers(state: State, within: timedelta) -> list[str]:
    """Ends what an earlier supervisor of this state folder left running; returns the names of what was found.

    Written down processes are checked by their start time, so a reused number is left alone. Processes that
    were started but not written down any more are known by the mark in their environment.
    """
    found = leftovers(state)
    await asyncio.gather(*(_end_one(pid, within) for pid in found.values()))
    return list(found)


def leftovers(state: State) -> dict[str, int]:
    """The processes of this state folder's stack that run (pid by name), by any supervisor; meant for a folder without a supervisor."""
    found = {
        name: started.pid for name, started in state.read_pids().items() if started.alive() and name != "supervisor"
    }
    known = set(found.values())
    # A component that forks is one process here: the others of its group end with it.
    for pid, root in _marked():
        if root == str(state.root) and pid not in known and _group(pid) not in known:
            found[f"pid {pid}"] = pid
    return found


def other_stacks(state: State) -> dict[str, int]:
    """The state folders of the other stacks on this machine, each with the number of its processes."""
    roots = Counter(root for _, root in _marked() if root != str(state.root))
    return dict(sorted(roots.items()))


async def _end_one(pid: int, within: timedelta) -> None:
    try:
        is_leader = os.getpgid(pid) == pid
    except ProcessLookupError:
        return
    if is_leader:
        await end_group(pid, within)
        return
    try:
        process = psutil.Process(pid)
        process.terminate()
        if not await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, within):
            process.kill()
    except psutil.NoSuchProcess:
        return


def _marked() -> Iterable[tuple[int, str]]:
    """Every process that a supervisor has started, with its stack's state folder."""
    for process in psutil.process_iter(["pid"]):
        try:
            root = process.environ().get(MARK)
        except psutil.Error:
            continue
        if root and process.pid != os.getpid():
            yield process.pid, root


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _signal_group(leader: int, number: signal.Signals) -> bool:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return False
    return True


async def _has_ended(leader: int, within: timedelta) -> bool:
    return await until(lambda: not _group_lives(leader), within)


def _group_lives(leader: int) -> bool:
    """A zombie that its parent has not collected yet still counts for killpg, so members are looked at one by one."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    for process in psutil.process_iter(["pid"]):
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                return True
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return False
