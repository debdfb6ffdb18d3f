"""Keeps components running: starts them in dependency order (in parallel where it may), restarts what ends, stops in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import psutil

from deploy.local import order, process
from deploy.local.board import Board, Health
from deploy.local.component import Component
from deploy.local.errors import ComponentFailed
from deploy.local.follow import tail
from deploy.local.state import Started, State
from deploy.local.waiting import ended

TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the supervisor is.

    The pause between restarts doubles up to ``longest`` and is reset after ``stable`` of health. A component that lives is waited for,
    reported as slow after ``slow``, and restarted only after ``ready_within``. ``attempts``: starts before the first one counts as failed.
    """

    probe: timedelta = timedelta(milliseconds=150)
    slow: timedelta = timedelta(seconds=30)
    ready_within: timedelta = timedelta(minutes=30)
    attempts: int = 3
    first: timedelta = timedelta(milliseconds=500)
    longest: timedelta = timedelta(seconds=4)
    stable: timedelta = timedelta(seconds=10)


class Supervisor:
    """Runs ``components``. ``start`` returns when all are healthy; from then on each is watched until ``stop``."""

    def __init__(self, components: Sequence[Component], state: State, board: Board, pace: Pace = Pace()) -> None:
        order.check(components)
        self._components = {c.name: c for c in components}
        self._state = state
        self._board = board
        self._pace = pace
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._started: dict[str, Started] = {}
        self._answers: dict[str, str] = {}
        self._healthy = {name: asyncio.Event() for name in self._components}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._myself = Started.of(os.getpid())

    async def start(self) -> None:
        """Starts everything and returns when all are healthy, however long the slowest takes.

        Raises ComponentFailed for the first component that cannot be started or has ended ``attempts`` times; what runs keeps running.
        """
        self._write_pids()
        self._keepers = {
            name: asyncio.create_task(self._keep(c), name=f"keep {name}") for name, c in self._components.items()
        }
        everybody = asyncio.create_task(self.healthy(self._components), name="wait for all")
        try:
            await asyncio.wait([everybody, *self._keepers.values()], return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers.values():
                if keeper.done():
                    keeper.result()
        finally:
            await ended(everybody)

    async def healthy(self, names: Iterable[str]) -> None:
        """Returns when each of ``names`` has become healthy; ``start`` reports what fails."""
        for name in names:
            await self._healthy[name].wait()

    async def stop(self) -> None:
        """Stops everything in reverse order, in parallel where it may. Never raises for a component's sake."""
        await ended(*self._keepers.values())
        before = order.dependents(self._components.values())
        stopped = {name: asyncio.Event() for name in self._components}

        async def stop_one(component: Component) -> None:
            for name in before[component.name]:
                await stopped[name].wait()
            await self._end(component)
            stopped[component.name].set()

        await asyncio.gather(*(stop_one(c) for c in self._components.values()))

    async def _keep(self, component: Component) -> None:
        """One component's life. It fails if the first ``attempts`` starts do; after one that succeeded every failure is retried."""
        for name in component.depends_on:
            await self._healthy[name].wait()
        line = self._board.lines[component.name]
        loop = asyncio.get_running_loop()
        pause, was_healthy, reason = self._pace.first, False, ""
        while True:
            try:
                await self._launch(component, note=f"{reason}, restarted ({line.restarts} in all)" if reason else "")
            except ComponentFailed as failed:
                if not was_healthy and (
                    line.restarts + 1 >= self._pace.attempts or isinstance(failed.__cause__, OSError)
                ):
                    raise
                reason = failed.reason.partition(": ")[2]
            else:
                was_healthy, healthy_since = True, loop.time()
                code = await self._processes[component.name].wait()
                if loop.time() - healthy_since > self._pace.stable.total_seconds():
                    pause = self._pace.first
                reason = f"ended unexpectedly ({_ending(code)})"
            self._healthy[component.name].clear()
            if child := self._processes.get(component.name):
                await process.end_group(child.pid, component.stop_within)
            line.restarts += 1
            note = f"{reason}, restart {line.restarts} in {pause.total_seconds():.3g} s"
            self._publish(component, Health.RESTARTING, note=note)
            await asyncio.sleep(pause.total_seconds())
            pause = min(2 * pause, self._pace.longest)

    async def _launch(self, component: Component, note: str = "") -> None:
        loop = asyncio.get_running_loop()
        self._answers[component.name] = "none"
        try:
            self._publish(component, Health.PREPARING, note=self._board.lines[component.name].note)
            await component.prepare()
            begun = loop.time()
            child = await process.start(component, self._state)
            self._processes[component.name] = child
            # One that has ended already is not in /proc any more: how it ended is found below.
            with contextlib.suppress(psutil.NoSuchProcess):
                self._started[component.name] = Started.of(child.pid)
            self._write_pids()
            self._board.lines[component.name].pid = child.pid
            self._publish(component, Health.STARTING, note=self._board.lines[component.name].note)
            # The time begins here: on a busy machine the start itself may take long.
            async with asyncio.timeout(self._pace.ready_within.total_seconds()):
                await self._until_healthy(component, child)
        except TimeoutError:
            waited = f"not healthy after {self._pace.ready_within.total_seconds():.0f} s"
            raise self._failed(component, f"{waited}; last answer: {self._answers[component.name]}") from None
        except ComponentFailed as failed:
            raise self._failed(component, failed.reason.partition(": ")[2]) from failed
        except Exception as error:
            raise self._failed(component, f"cannot be started: {type(error).__name__}: {error}") from error
        self._board.lines[component.name].seconds = round(loop.time() - begun, 2)
        self._publish(component, Health.HEALTHY, note=note)
        self._healthy[component.name].set()

    async def _until_healthy(self, component: Component, child: asyncio.subprocess.Process) -> None:
        """The caller's time-out ends this; the deadline here is for the case that a probe swallows it (see ``waiting.ended``)."""
        loop = asyncio.get_running_loop()
        begun, report_after = loop.time(), self._pace.slow.total_seconds()
        while (answer := await _probe(component)) is not None:
            self._answers[component.name] = answer
            if child.returncode is not None:
                reason = f"ended while starting ({_ending(child.returncode)})"
                raise ComponentFailed(component.name, reason, log=self._state.log(component.name))
            waited = loop.time() - begun
            if waited >= self._pace.ready_within.total_seconds():
                raise TimeoutError
            if waited >= report_after:
                # Reported at growing intervals: each change of a note is a line of output where there is no terminal.
                report_after = 2 * waited
                self._publish(
                    component, Health.STARTING, note=f"slow: alive for {waited:.0f} s, not healthy yet ({answer})"
                )
            await asyncio.sleep(self._pace.probe.total_seconds())

    def _failed(self, component: Component, reason: str) -> ComponentFailed:
        log = self._state.log(component.name)
        self._publish(component, Health.FAILED, note=reason)
        return ComponentFailed(component.name, reason, log=log, tail=tail(log, TAIL_LINES))

    async def _end(self, component: Component) -> None:
        child = self._processes.get(component.name)
        if child is None:
            self._publish(component, Health.STOPPED)
            return
        self._publish(component, Health.STOPPING)
        gentle = await process.end_group(child.pid, component.stop_within)
        await child.wait()
        self._started.pop(component.name, None)
        self._write_pids()
        self._board.lines[component.name].pid = None
        self._publish(
            component,
            Health.STOPPED,
            note="" if gentle else f"killed after {component.stop_within.total_seconds():.0f} s",
        )

    def _publish(self, component: Component, health: Health, note: str = "") -> None:
        line = self._board.lines[component.name]
        line.state, line.note = health, note
        self._board.changed()

    def _write_pids(self) -> None:
        # On a full disk the processes are still found by the mark in their environment.
        with contextlib.suppress(OSError):
            self._state.write_pids(self._myself, self._started)


async def _probe(component: Component) -> str | None:
    """None if the component is healthy, else what its probe said: whatever a probe raises means "not yet"."""
    try:
        await component.health()
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
