"""``status``: the published board, every component asked for its health at this moment, and what runs without a supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import process
from deploy.local.board import Board, Health, Phase
from deploy.local.component import Component
from deploy.local.options import Options
from deploy.local.state import State

ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found.

    ``supervised``: a supervisor lives. ``left``: the processes (pid by name) of one that does not. ``elsewhere``: folders of other stacks
    on this machine, with the number of their processes. ``ready``: the run is ready and every component answered well.
    """

    root: Path
    supervised: bool
    board: Board
    left: Mapping[str, int] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Everything is healthy."""
        return self.supervised and self.board.phase is Phase.READY and self.board.all_healthy()

    def publish(self) -> dict[str, Any]:
        """JSON types only."""
        found = {"running": self.supervised, "ready": self.ready, "left": self.left, "elsewhere": self.elsewhere}
        return {**found, "says": self.words(), **self.board.publish()}

    def words(self) -> list[str]:
        """What there is to say beside the board, and what to do about it. Sentences, one per line."""
        said = []
        if self.left:
            said += [
                f"The supervisor in {self.root} was killed. Without it these still run: {', '.join(self.left)}.",
                "`pagepulse down` stops them; `pagepulse up` stops them and starts everything anew.",
            ]
        elif not self.supervised:
            said.append(f"nothing runs in {self.root}")
            if self.board.phase is Phase.FAILED:
                said.append(f"the last start failed: {self.board.detail}")
            elif self.board.lines and self.board.phase is not Phase.STOPPED:
                said.append("the last run was killed; nothing of it is left")
        elif not self.board.lines:
            said.append(f"the supervisor in {self.root} has just begun")
        if not self.supervised:
            said += [
                f"another stack runs in {root} ({count} processes): pagepulse status --dir {root}"
                for root, count in self.elsewhere.items()
            ]
        return said


async def inspect(state: State) -> Inspection:
    """Asks every component that should be healthy; one that does not answer is shown as unhealthy, with the reason."""
    run = state.read_run()
    board = Board.read(run)
    if not state.supervised():
        left = process.leftovers(state)
        for line in board.lines.values():
            line.pid = left.get(line.name)
            line.state = Health.UNSUPERVISED if line.pid else Health.STOPPED
        return Inspection(state.root, False, board, left, process.other_stacks(state))
    if run:
        await _probe_all(state, board)
    return Inspection(state.root, True, board)


async def _probe_all(state: State, board: Board) -> None:
    # The clients of the servers are imported only if there is a server.
    from deploy.local import java
    from deploy.local.components import all_components
    from deploy.local.components.context import Context

    context = Context(options=Options.read(board.options), state=state, java=java.require())
    await asyncio.gather(*(_probe(c, board) for c in all_components(context) if c.name in board.lines))


async def _probe(component: Component, board: Board) -> None:
    line = board.lines[component.name]
    if line.state is not Health.HEALTHY:
        return
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await component.health()
    except Exception as error:
        line.state = Health.UNHEALTHY
        slow = isinstance(error, TimeoutError) or "Timeout" in type(error).__name__
        line.note = (
            f"runs, but is slow: no answer within {ANSWER_SECONDS:.0f} s"
            if slow
            else f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")
        )
