"""One run of the stack from the first process to the last: leftovers, ports, start, demo, watch, stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from datetime import timedelta

from deploy.local import demo, java, order, ports, process
from deploy.local.board import Board, Phase
from deploy.local.components import all_components
from deploy.local.components.context import Context
from deploy.local.errors import ComponentFailed, ServiceRefused, StackError
from deploy.local.options import Options
from deploy.local.state import State
from deploy.local.supervisor import Supervisor
from deploy.local.waiting import ended

LEFTOVERS_WITHIN = timedelta(seconds=10)


async def run(options: Options, state: State, *, show: Callable[[Board], None], say: Callable[[str], None]) -> Board:
    """Runs the stack until SIGINT or SIGTERM, then stops it; the folder's lock must be held.

    ``show`` gets the board once, before the first change; ``say`` gets sentences for a person. A failure of the start is kept on the board
    (phase FAILED is followed by stopping), so the caller asks ``board.error``.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)

    for name in await process.end_leftovers(state, LEFTOVERS_WITHIN):
        say(f"stopped what an earlier run had left: {name}")
    context = Context(options=options, state=state, java=java.require())
    components = all_components(context)
    order.check(components)
    ports.check_free((c.name, port) for c in components for port in c.ports)

    board = Board.of(components, state.log, options.publish())
    board.listeners.append(lambda: state.write_run(board.publish()))
    show(board)
    board.changed()
    supervisor = Supervisor(components, state, board)
    try:
        await _unless(stop, _bring_up(supervisor, options, board))
        await stop.wait()
    except StackError as error:
        if isinstance(error, ServiceRefused):
            error.log = state.log(error.service)
        board.error = published(error)
        board.enter(Phase.FAILED, error.reason.splitlines()[0])
    finally:
        if board.phase is not Phase.FAILED:
            board.enter(Phase.STOPPING)
        await supervisor.stop()
        # Nothing should be left now; a process that was cancelled in the moment of its start could be.
        await process.end_leftovers(state, LEFTOVERS_WITHIN)
        state.clear_pids()
        if board.phase is not Phase.FAILED:
            board.enter(Phase.STOPPED)
        board.changed()
    return board


async def _bring_up(supervisor: Supervisor, options: Options, board: Board) -> None:
    board.enter(Phase.STARTING)
    await supervisor.start()
    if options.demo and not options.only:
        await demo.prepare(options, board)
    board.enter(Phase.READY)


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Does ``work``, or gives it up when ``stop`` is set."""
    task = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        await ended(task, stopping)


def published(error: StackError) -> dict[str, object]:
    """An error as it is kept on the board."""
    failed = error if isinstance(error, ComponentFailed) else None
    return {
        "component": failed.component if failed else None,
        "reason": error.reason,
        "hint": error.hint,
        "log": str(error.log) if error.log else None,
        "tail": list(failed.tail) if failed else [],
    }
