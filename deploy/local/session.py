"""One run of the stack from the first process to the last: leftovers, ports, start, demo, watch, stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path

from deploy.local import demo, java, order, ports, process
from deploy.local.board import Board, Phase
from deploy.local.client import Services
from deploy.local.components import all_components
from deploy.local.components.context import Context
from deploy.local.errors import ComponentFailed, ServiceRefused, StackError
from deploy.local.options import Options
from deploy.local.ports import Ports
from deploy.local.state import State
from deploy.local.supervisor import Pace, Supervisor
from deploy.local.waiting import ended, until

LOOK_AGAIN = timedelta(seconds=5)
NOT_NEEDED_BY_THE_PIPELINE = frozenset({"dashboard"})


async def run(options: Options, state: State, *, show: Callable[[Board], None], say: Callable[[str], None]) -> Board:
    """Runs the stack until SIGINT, SIGTERM or SIGHUP, then stops it; the folder's lock must be held.

    ``show`` gets the board once, before the first change; ``say`` gets sentences for a person. A failure of the start is kept on the board
    (phase FAILED is followed by stopping), so the caller asks ``board.error``.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup a hang-up is ignored, and stays so.
        if not (number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN):
            loop.add_signal_handler(number, stop.set)

    for name in await process.end_leftovers(state, process.LEFTOVERS_WITHIN):
        say(f"stopped what an earlier run had left: {name}")
    context = Context(options=options, state=state, java=java.require())
    components = all_components(context)
    order.check(components)
    ports.check_free(((c.name, port) for c in components for port in c.ports), movable=state.layout() is None)
    state.keep_layout(options.layout)

    board = Board.of(components, state.log, options.publish())

    def publish() -> None:
        # A full disk must not end the supervisor: `status` is then behind, and the next change is written again.
        with contextlib.suppress(OSError):
            state.write_run(board.publish())

    board.listeners.append(publish)
    show(board)
    board.changed()
    supervisor = Supervisor(components, state, board, Pace(ready_within=timedelta(seconds=options.start_within)))
    try:
        await _unless(stop, _bring_up(supervisor, options, board))
        await stop.wait()
    except StackError as error:
        board.error = published(error)
        board.enter(Phase.FAILED, error.reason.splitlines()[0])
    finally:
        if board.phase is not Phase.FAILED:
            board.enter(Phase.STOPPING)
        await supervisor.stop()
        # Nothing should be left now; a process that was cancelled in the moment of its start could be.
        await process.end_leftovers(state, process.LEFTOVERS_WITHIN)
        state.clear_pids()
        if board.phase is not Phase.FAILED:
            board.enter(Phase.STOPPED)
        board.changed()
    return board


async def _bring_up(supervisor: Supervisor, options: Options, board: Board) -> None:
    """Raises StackError if a component cannot work. A pipeline that cannot be set up does not stop the servers: it may be repaired."""
    board.enter(Phase.STARTING)
    starting = asyncio.create_task(supervisor.start(), name="start")
    preparing = asyncio.create_task(_prepare(supervisor, options, board), name="prepare")
    try:
        await asyncio.gather(starting, preparing)
    finally:
        await ended(starting, preparing)
    board.error = None
    board.enter(Phase.READY)


async def _prepare(supervisor: Supervisor, options: Options, board: Board) -> None:
    if not options.demo or options.only:
        return
    await supervisor.healthy(name for name in board.lines if name not in NOT_NEEDED_BY_THE_PIPELINE)
    async with Services(Ports(options.port_offset)) as services:
        try:
            await demo.prepare(services, options, board)
        except ServiceRefused as error:
            error.log = Path(board.lines[error.service].log)
            error.hint = "the servers run: pagepulse apply tries again, pagepulse down stops them"
            board.error = published(error)
            board.enter(Phase.INCOMPLETE, error.reason.splitlines()[0])
            await _until_provisioned(services)
    if not board.all_healthy():
        board.enter(Phase.STARTING, "the pipeline is set up")


async def _until_provisioned(services: Services) -> None:
    """Waits for ``pagepulse apply``, or for the API's."""

    async def ready() -> bool:
        try:
            return bool((await services.pipeline()).get("ready"))
        except ServiceRefused:
            return False

    await until(ready, every=LOOK_AGAIN)


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
