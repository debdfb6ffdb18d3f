"""What each component of a local stack uses: CPU, memory, open files."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import psutil

from deploy.local.state import State

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one component. ``cpu_s``: since its start. ``pss_mib`` splits pages among those who share them, so that a sum
    over all counts each page once; ``rss_mib`` does not."""

    cpu_s: float = 0.0
    rss_mib: float = 0.0
    pss_mib: float = 0.0
    files: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_s + other.cpu_s,
            self.rss_mib + other.rss_mib,
            self.pss_mib + other.pss_mib,
            self.files + other.files,
        )


def of_stack(state: State) -> dict[str, Usage]:
    """Every component that runs, and the supervisor, whose children are the components."""
    return {
        name: of_process(started.pid, children=name != "supervisor")
        for name, started in state.read_pids().items()
        if started.alive()
    }


def of_process(pid: int, *, children: bool = True) -> Usage:
    """With its children, if they are wanted; nothing if it is gone."""
    total = Usage()
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *(process.children(recursive=True) if children else ())):
            with suppress(psutil.NoSuchProcess):
                total += _of_one(one)
    return total


def _of_one(process: psutil.Process) -> Usage:
    times, memory = process.cpu_times(), process.memory_full_info()
    return Usage(times.user + times.system, memory.rss / _MIB, memory.pss / _MIB, process.num_fds())


def total(usages: Iterable[Usage]) -> Usage:
    return sum(usages, Usage())


class Meter:
    """CPU of each component since the last look, as a share of one core."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._before = of_stack(state)
        self._at = monotonic()

    def look(self) -> dict[str, tuple[float, Usage]]:
        """(cores, usage) by component; a component that was started since the last look counts from its start."""
        now, at = of_stack(self._state), monotonic()
        elapsed = at - self._at
        found = {
            name: (max(0.0, usage.cpu_s - self._before.get(name, Usage()).cpu_s) / elapsed, usage)
            for name, usage in now.items()
        }
        self._before, self._at = now, at
        return found
