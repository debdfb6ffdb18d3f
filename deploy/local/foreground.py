"""``up`` in the foreground: the supervisor in this process, with the live status on the terminal."""

from __future__ import annotations

import asyncio

from rich.console import Console

from deploy.local import console as pictures
from deploy.local import display, session
from deploy.local.board import Board, Phase
from deploy.local.options import Options
from deploy.local.ports import Ports
from deploy.local.state import State
from deploy.local.waiting import ended


async def up(options: Options, state: State, console: Console) -> Board:
    """Runs the stack until Ctrl-C. The folder's lock must be held."""
    ports = Ports(options.port_offset)
    board: Board | None = None
    announced = False

    def show(run: Board) -> None:
        nonlocal board
        board = run
        run.listeners.append(announce)

    def announce() -> None:
        nonlocal announced
        if board is not None and board.phase is Phase.READY and not announced:
            announced = True
            console.print(pictures.urls(ports, options.brokers, board.lines))
            console.print("Ctrl-C stops everything.")

    load = display.Load(ports, lambda: board)
    watching = asyncio.create_task(load.watch(), name="watch the load") if not options.only else None
    try:
        async with display.shown(console, lambda: board, load=lambda: load.text):
            final = await session.run(options, state, show=show, say=console.print)
    finally:
        if watching is not None:
            await ended(watching)
    return final
