"""``status``: the published board, and every component asked for its health at this moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from deploy.local import java
from deploy.local.board import Board, Health, Phase
from deploy.local.component import Component
from deploy.local.components import all_components
from deploy.local.components.context import Context
from deploy.local.options import Options
from deploy.local.state import State

ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found. ``ready``: the run is ready and every component answered well."""

    running: bool
    board: Board

    @property
    def ready(self) -> bool:
        """Everything is as it should be."""
        return self.running and self.board.phase is Phase.READY and self.board.all_healthy()

    def publish(self) -> dict[str, Any]:
        """JSON types only."""
        return {"running": self.running, "ready": self.ready, **self.board.publish()}


async def inspect(state: State) -> Inspection:
    """Asks every component that should be healthy; one that does not answer is shown as unhealthy, with the reason."""
    run = state.read_run()
    board = Board.read(run)
    if not state.supervised() or not run:
        return Inspection(False, board)
    context = Context(options=Options.read(board.options), state=state, java=java.require())
    await asyncio.gather(*(_ask(c, board) for c in all_components(context) if c.name in board.lines))
    return Inspection(True, board)


async def _ask(component: Component, board: Board) -> None:
    line = board.lines[component.name]
    if line.state is not Health.HEALTHY:
        return
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await component.health()
    except Exception as error:
        line.state = Health.UNHEALTHY
        line.note = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")
