"""Starting and ending process groups. Only groups that were started here are ever signalled."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import psutil

from deploy.local.component import Component
from deploy.local.ports import MARK
from deploy.local.state import State
from deploy.local.waiting import until

KILL_WITHIN = timedelta(seconds=5)


async def start(component: Component, state: State) -> asyncio.subprocess.Process:
    """Starts the component as the leader of a new session; its output goes to the end of its log."""
    log = state.log(component.name)
    with log.open("ab") as output:
        output.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: start\n".encode())
        output.flush()
        return await asyncio.create_subprocess_exec(
            *component.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=component.cwd,
            env={**os.environ, **component.env, MARK: str(state.root)},
            start_new_session=True,
        )


async def end_group(leader: int, within: timedelta) -> bool:
    """SIGTERM to the group, SIGKILL to what is left of it after ``within``. True if SIGTERM was enough.

    The group's number cannot belong to somebody else as long as any member lives, and the caller started the leader.
    """
    if not _signal_group(leader, signal.SIGTERM):
        return True
    if await _gone(leader, within):
        return True
    _signal_group(leader, signal.SIGKILL)
    await _gone(leader, KILL_WITHIN)
    return False


async def end_leftovers(state: State, within: timedelta) -> list[str]:
    """Ends what an earlier supervisor of this state folder left running; returns the names of what was found.

    Written down processes are checked by their start time, so a number that was given to somebody else is left alone. Processes that
    were started but not written down any more are known by the mark in their environment.
    """
    recorded = {name: process for name, process in state.read_pids().items() if process.alive()}
    found = {process.pid: name for name, process in recorded.items() if name != "supervisor"}
    for pid in _marked(state):
        found.setdefault(pid, f"pid {pid}")
    await asyncio.gather(*(_end_one(pid, within) for pid in found))
    return list(found.values())


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


def _marked(state: State) -> Iterable[int]:
    for process in psutil.process_iter(["pid"]):
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(state.root):
                yield process.pid
        except psutil.Error:
            continue


def _signal_group(leader: int, number: signal.Signals) -> bool:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return False
    return True


async def _gone(leader: int, within: timedelta) -> bool:
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
