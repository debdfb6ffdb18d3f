"""Shows a board that changes: redrawn in place on a terminal, one line per change elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from rich.console import Console
from rich.live import Live

from deploy.local import console as pictures
from deploy.local.board import Board, Phase
from deploy.local.client import Services
from deploy.local.errors import ServiceRefused
from deploy.local.ports import Ports
from deploy.local.waiting import ended

REDRAW = timedelta(milliseconds=250)
ASK_LOAD = timedelta(seconds=1)


class Follower:
    """Prints what changed since the last call."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[str, tuple[object, ...]] = {}

    def show(self, board: Board) -> None:
        """Prints one line per component, and per phase, that is not as it was."""
        for line in board.lines.values():
            if self._news(line.name, (line.state, line.note)) and line.state not in {"waiting", "preparing"}:
                self._console.print(pictures.event(board, line))
        if self._news("", (board.phase, board.detail)):
            self._console.print(pictures.headline(board))

    def _news(self, key: str, value: tuple[object, ...]) -> bool:
        if self._seen.get(key) == value:
            return False
        self._seen[key] = value
        return True


@asynccontextmanager
async def shown(
    console: Console, board: Callable[[], Board | None], *, load: Callable[[], str] = lambda: ""
) -> AsyncIterator[None]:
    """Keeps the board on the screen while the block runs; ``board`` and ``load`` are asked several times a second."""
    follower = Follower(console)
    live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def draw() -> None:
        now = board()
        if now is None:
            return
        if live is None:
            follower.show(now)
        else:
            live.update(pictures.board(now, load=load()), refresh=True)

    async def keep_drawing() -> None:
        while True:
            draw()
            await asyncio.sleep(REDRAW.total_seconds())

    with live or contextlib.nullcontext():
        drawing = asyncio.create_task(keep_drawing(), name="display")
        try:
            yield
        finally:
            await ended(drawing)
            draw()


class Load:
    """Asks the generator what it does, once a second, for the last line of the display."""

    def __init__(self, ports: Ports, board: Callable[[], Board | None]) -> None:
        self._ports = ports
        self._board = board
        self.text = ""

    async def watch(self) -> None:
        """Runs until cancelled."""
        async with Services(self._ports) as services:
            while True:
                now = self._board()
                if now is not None and now.phase is Phase.READY:
                    self.text = await _load(services)
                await asyncio.sleep(ASK_LOAD.total_seconds())


async def _load(services: Services) -> str:
    try:
        status = await services.generation()
    except ServiceRefused:
        return "generator: no answer"
    achieved = status.get("achieved_rate") or {}
    rate = achieved.get("last_1s") if isinstance(achieved, dict) else achieved
    events = (
        f"{rate or 0:,.0f} events/s (target {status.get('target_rate') or 0:,.0f})"
        if status.get("state") == "running"
        else status.get("state")
    )
    return f"generator: {events}, {status.get('acknowledged', 0):,} acknowledged"
