"""The command ``pagepulse``: thin; every command is a few calls of the modules beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.local import background, follow, foreground, inspection, setup
from deploy.local import console as pictures
from deploy.local.board import Board, Phase
from deploy.local.cli_pipeline import pipeline
from deploy.local.cli_size import sizing
from deploy.local.errors import StackError
from deploy.local.options import Options
from deploy.local.ports import Ports, highest_offset
from deploy.local.progress import Progress
from deploy.local.state import State

MOST_BROKERS = 9
DEMO_RATE = 200
EXIT_UNHEALTHY = 1
EXIT_NOT_RUNNING = 3

app = typer.Typer(
    help="Runs the whole pipeline on this machine: Kafka, Connect, MariaDB, Pinot and the services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.add_typer(pipeline)
app.add_typer(sizing)

console = Console(highlight=False)

Dir = Annotated[Path, typer.Option("--dir", help="Folder of all state and logs.")]
DEFAULT_DIR = Path(".pagepulse")


@contextmanager
def _told() -> Iterator[None]:
    """An error of the stack is told in words, not as a traceback."""
    try:
        yield
    except StackError as error:
        console.print(pictures.failure(error))
        raise typer.Exit(EXIT_UNHEALTHY) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def up(  # noqa: PLR0917  (typer passes options by name)
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="In the background; starts load only if --rate is given.")
    ] = False,
    brokers: Annotated[int, typer.Option(min=1, max=MOST_BROKERS, help="Kafka brokers.")] = 3,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Seed, provision and generate when all are healthy.")
    ] = True,
    rate: Annotated[
        int | None, typer.Option(min=1, help=f"Events per second; {DEMO_RATE} in the foreground.", show_default=False)
    ] = None,
    users: Annotated[int, typer.Option(min=1, help="Users to seed.")] = 1000,
    port_offset: Annotated[int, typer.Option(min=0, help="Added to every port.")] = 0,
    start_within: Annotated[
        int,
        typer.Option(
            min=1,
            envvar="PAGEPULSE_START_WITHIN",
            help="Seconds: a component that lives but is not healthy is restarted then; --detach waits no longer.",
        ),
    ] = 1800,
    directory: Dir = DEFAULT_DIR,
    only: Annotated[
        str, typer.Option(hidden=True, help="Only these components and what they need, comma-separated.")
    ] = "",
) -> None:
    """Start everything. Stays in the foreground with live status until Ctrl-C, unless --detach is given."""
    if port_offset > highest_offset(brokers):
        raise typer.BadParameter(
            f"at most {highest_offset(brokers)}: there are no ports beyond 65535", param_hint="--port-offset"
        )
    options = Options(
        dir=directory.resolve(),
        brokers=brokers,
        demo=demo,
        generate=demo and (rate is not None or not detach),
        rate=rate or DEMO_RATE,
        users=users,
        port_offset=port_offset,
        only=tuple(name for name in only.split(",") if name),
        start_within=start_within,
    )
    state = State(options.dir)
    with _told():
        if state.supervised():
            _already_running(state, detach=detach)
        asyncio.run(setup.ensure(Progress(console)))
        if detach:
            board = asyncio.run(background.up(options, state, console))
        else:
            state.acquire()
            board = asyncio.run(foreground.up(options, state, console))
    if board.error:
        console.print(pictures.published_failure(board.error))
        raise typer.Exit(EXIT_UNHEALTHY)
    if detach and board.phase is not Phase.READY:
        console.print(pictures.board(board))
        console.print(f"not ready after {start_within} s, and goes on by itself: pagepulse status, or pagepulse down")
        raise typer.Exit(EXIT_UNHEALTHY)
    if not detach:
        console.print(f"everything is stopped; data and logs are in {state.root}")
        return
    console.print(pictures.board(board))
    console.print(pictures.urls(Ports(port_offset), brokers, board.lines))


def _already_running(state: State, *, detach: bool) -> None:
    board = Board.read(state.read_run())
    console.print(f"A stack already runs in {state.root}.")
    console.print(pictures.board(board))
    well = board.phase is Phase.READY and board.all_healthy()
    raise typer.Exit(0 if detach and well else EXIT_UNHEALTHY)


@app.command()
def down(directory: Dir = DEFAULT_DIR) -> None:
    """Stop everything, also what a supervisor that died has left."""
    with _told():
        stopped = asyncio.run(background.down(State(directory)))
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False, directory: Dir = DEFAULT_DIR
) -> None:
    """Say how every component is, asked now. Exit code 0: all healthy; 1: not; 3: nothing runs."""
    with _told():
        found = asyncio.run(inspection.inspect(State(directory)))
    if as_json:
        typer.echo(json.dumps(found.publish(), indent=1))
    elif found.running:
        console.print(pictures.board(found.board))
    else:
        console.print(f"nothing runs in {directory.resolve()}")
    if not found.running:
        raise typer.Exit(EXIT_NOT_RUNNING)
    raise typer.Exit(0 if found.ready else EXIT_UNHEALTHY)


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A component, or 'supervisor'.")],
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 200,
    directory: Dir = DEFAULT_DIR,
) -> None:
    """Show a component's log."""
    with _told():
        for line in follow.lines(State(directory), name, last=lines, following=following):
            typer.echo(line)


@app.command()
def reset(directory: Dir = DEFAULT_DIR) -> None:
    """Stop everything and forget all data; packages and jars stay."""
    state = State(directory)
    with _told():
        asyncio.run(background.down(state))
        state.acquire()
        state.wipe()
    console.print(f"{state.root} is empty")


@app.command("setup")
def set_up(tests: Annotated[bool, typer.Option("--tests", help="Also what only the tests need.")] = False) -> None:
    """Install what is missing: Debian packages, jars, class-data archives."""
    with _told():
        asyncio.run(setup.ensure(Progress(console), tests=tests))
    console.print("everything is there")
