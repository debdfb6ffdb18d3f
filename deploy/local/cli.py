"""The command ``pagepulse``. Thin: every command is a few calls of the modules beside it, imported when the command runs.

``pagepulse --help`` must not import rich, asyncio, or a client of any server: tests/unit/local/test_cli.py holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deploy.local.cli_pipeline import pipeline
from deploy.local.cli_size import sizing
from deploy.local.terminal import (
    DEFAULT_DIR,
    EXIT_FAILED,
    AsJson,
    Dir,
    console,
    errors_in_words,
    outlive_the_reader,
    print_json,
)

if TYPE_CHECKING:
    from deploy.local.options import Options
    from deploy.local.state import State

MOST_BROKERS = 9
DEMO_RATE = 200
EXIT_NOT_RUNNING = 3

app = typer.Typer(
    help="Runs the whole pipeline on this machine: Kafka, Connect, MariaDB, Pinot and the services.",
    no_args_is_help=True,
    add_completion=False,
    # rich's help would be a third of the time of every call
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pagepulse {version('pagepulse')}")
        raise typer.Exit


@app.callback()
def pagepulse(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Say which version this is.")
    ] = False,
) -> None:
    """Runs the whole pipeline on this machine: Kafka, Connect, MariaDB, Pinot and the services."""


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
    as_json: AsJson = False,
) -> None:
    """Start everything. Stays in the foreground with live status until Ctrl-C, unless --detach is given."""
    from deploy.local.options import Options
    from deploy.local.ports import highest_offset
    from deploy.local.state import State

    if port_offset > highest_offset(brokers):
        raise typer.BadParameter(
            f"at most {highest_offset(brokers)}: there are no ports beyond 65535", param_hint="--port-offset"
        )
    if as_json and not detach:
        raise typer.BadParameter("only with --detach", param_hint="--json")
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
    outlive_the_reader()
    with errors_in_words():
        if state.supervised():
            _already_running(state, detach=detach, as_json=as_json)
        if detach:
            _up_in_the_background(options, state, as_json)
        else:
            _up_in_the_foreground(options, state)


def _up_in_the_foreground(options: Options, state: State) -> None:
    import asyncio

    from deploy.local import foreground, setup
    from deploy.local.console import published_failure
    from deploy.local.progress import Progress

    out = console()
    asyncio.run(setup.ensure(Progress(out)))
    state.acquire()
    board = asyncio.run(foreground.up(options, state, out))
    if board.error:
        out.print(published_failure(board.error))
        raise typer.Exit(EXIT_FAILED)
    out.print(f"everything is stopped; data and logs are in {state.root}")


def _up_in_the_background(options: Options, state: State, as_json: bool) -> None:
    import asyncio

    from deploy.local import background, setup
    from deploy.local import console as pictures
    from deploy.local.board import Phase
    from deploy.local.ports import Ports
    from deploy.local.progress import Progress

    out = console()
    progress = console(to_stderr=True) if as_json else out
    asyncio.run(setup.ensure(Progress(progress)))
    board = asyncio.run(background.up(options, state, progress))
    if as_json:
        print_json(board.publish())
    elif board.error:
        out.print(pictures.published_failure(board.error))
    else:
        out.print(pictures.board(board))
        out.print(pictures.urls(Ports(options.port_offset), options.brokers, board.lines))
        if board.phase is not Phase.READY:
            out.print(
                f"not ready after {options.start_within} s; the start goes on: pagepulse status, or pagepulse down"
            )
    if board.error or board.phase is not Phase.READY:
        raise typer.Exit(EXIT_FAILED)


def _already_running(state: State, *, detach: bool, as_json: bool) -> None:
    from deploy.local import console as pictures
    from deploy.local.board import Board, Phase

    board = Board.read(state.read_run())
    if as_json:
        print_json(board.publish())
    else:
        console().print(f"A stack already runs in {state.root}.")
        console().print(pictures.board(board))
    well = board.phase is Phase.READY and board.all_healthy()
    raise typer.Exit(0 if detach and well else EXIT_FAILED)


@app.command()
def down(directory: Dir = DEFAULT_DIR) -> None:
    """Stop everything, also what a supervisor that died has left."""
    import asyncio

    from deploy.local import background
    from deploy.local.state import State

    outlive_the_reader()
    with errors_in_words():
        stopped = asyncio.run(background.down(State(directory)))
    typer.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status(as_json: AsJson = False, directory: Dir = DEFAULT_DIR) -> None:
    """Say how every component is, asked now. Exit code 0: all healthy; 1: not; 3: nothing runs."""
    import asyncio

    from deploy.local import inspection
    from deploy.local.state import State

    with errors_in_words():
        found = asyncio.run(inspection.inspect(State(directory)))
    if as_json:
        print_json(found.publish())
    elif found.supervised or found.left:
        from deploy.local import console as pictures

        console().print(pictures.inspection(found))
    else:
        typer.echo("\n".join(found.words()))
    if not found.supervised and not found.left:
        raise typer.Exit(EXIT_NOT_RUNNING)
    raise typer.Exit(0 if found.ready else EXIT_FAILED)


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A component, or 'supervisor'.")],
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 200,
    raw: Annotated[bool, typer.Option("--raw", help="The lines as they are: the services write JSON.")] = False,
    directory: Dir = DEFAULT_DIR,
) -> None:
    """Show a component's log."""
    from deploy.local import follow
    from deploy.local.state import State

    with errors_in_words():
        for line in follow.lines(State(directory), name, last=lines, following=following):
            typer.echo(line if raw else follow.readable(line))


@app.command()
def reset(directory: Dir = DEFAULT_DIR) -> None:
    """Stop everything and forget all data; packages and jars stay."""
    import asyncio

    from deploy.local import background
    from deploy.local.state import State

    state = State(directory)
    outlive_the_reader()
    with errors_in_words():
        asyncio.run(background.down(state))
        state.acquire()
        state.wipe()
    typer.echo(f"{state.root} is empty")


@app.command("setup")
def set_up(tests: Annotated[bool, typer.Option("--tests", help="Also what only the tests need.")] = False) -> None:
    """Install what is missing: packages, jars, class-data archives."""
    import asyncio

    from deploy.local import setup
    from deploy.local.progress import Progress

    with errors_in_words():
        asyncio.run(setup.ensure(Progress(console()), tests=tests))
    typer.echo("everything is there")


app.add_typer(pipeline)
app.add_typer(sizing)
