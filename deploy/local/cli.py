"""The command ``pagepulse``. Thin: every command is a few calls of the modules beside it, imported when the command runs.

``pagepulse --help`` must not import rich, asyncio, or a client of any server: tests/processes/test_imports.py checks that.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.local.cli_events import events
from deploy.local.cli_ksql import ksql
from deploy.local.cli_pipeline import pipeline
from deploy.local.cli_size import size
from deploy.local.terminal import (
    EXIT_FAILED,
    a_folder,
    as_json,
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


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"pagepulse {version('pagepulse')}")
        context.exit()


class _InOrder(click.Group):
    """Lists the commands in the order of their addition: those needed first come first."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, no_args_is_help=True)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def app() -> None:
    """Runs the whole pipeline on this machine: Kafka, Connect, MariaDB, Pinot and the services."""


@app.command()
@click.option("--detach", "-d", is_flag=True, help="In the background; starts load only if --rate is given.")
@click.option(
    "--brokers", type=click.IntRange(1, MOST_BROKERS), help="Kafka brokers.  [default: as the data in --dir, else 3]"
)
@click.option(
    "--demo/--no-demo", default=True, help="Seed, provision and generate when all are healthy.", show_default=True
)
@click.option("--rate", type=click.IntRange(1), help=f"Events per second; {DEMO_RATE} in the foreground.")
@click.option("--users", type=click.IntRange(1), default=1000, show_default=True, help="Users to seed.")
@click.option(
    "--port-offset", type=click.IntRange(0), help="Added to every port.  [default: as the data in --dir, else 0]"
)
@click.option(
    "--start-within",
    type=click.IntRange(1),
    default=1800,
    show_default=True,
    envvar="PAGEPULSE_START_WITHIN",
    help="Seconds after which a component that lives but is not healthy is restarted, and that --detach waits.",
)
@a_folder
@click.option("--only", default="", hidden=True, help="Only these components and what they need, comma-separated.")
@as_json
def up(
    *,
    detach: bool,
    brokers: int | None,
    demo: bool,
    rate: int | None,
    users: int,
    port_offset: int | None,
    start_within: int,
    directory: Path,
    only: str,
    as_json: bool,
) -> None:
    """Start everything. Stays in the foreground with live status until Ctrl-C, unless --detach is given."""
    from deploy.local.options import Options
    from deploy.local.ports import highest_offset
    from deploy.local.state import State

    if as_json and not detach:
        raise click.BadParameter("only with --detach", param_hint="--json")
    state = State(directory)
    outlive_the_reader()
    with errors_in_words():
        if state.supervised():
            _already_running(state, detach=detach, as_json=as_json)
        layout = state.choose_layout(brokers=brokers, port_offset=port_offset)
    highest = highest_offset(layout.brokers)
    if layout.port_offset > highest:
        raise click.BadParameter(f"at most {highest}: there are no ports beyond 65535", param_hint="--port-offset")
    options = Options(
        dir=state.root,
        brokers=layout.brokers,
        demo=demo,
        generate=demo and (rate is not None or not detach),
        rate=rate or DEMO_RATE,
        users=users,
        port_offset=layout.port_offset,
        only=tuple(name for name in only.split(",") if name),
        start_within=start_within,
    )
    with errors_in_words():
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
        sys.exit(EXIT_FAILED)
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
    try:
        board = asyncio.run(background.up(options, state, progress))
    except KeyboardInterrupt:
        progress.print("the start continues in the background: pagepulse status, or pagepulse down")
        raise
    if as_json:
        print_json(board.publish())
    elif board.error:
        out.print(pictures.published_failure(board.error))
    else:
        out.print(pictures.board(board))
        out.print(pictures.urls(Ports(options.port_offset), options.brokers, board.lines))
        if board.phase is not Phase.READY:
            out.print(
                f"not ready after {options.start_within} s; the start continues: pagepulse status, or pagepulse down"
            )
    if board.error or board.phase is not Phase.READY:
        sys.exit(EXIT_FAILED)


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
    sys.exit(0 if detach and well else EXIT_FAILED)


@app.command()
@a_folder
def down(directory: Path) -> None:
    """Stop everything. This includes what a killed supervisor left running."""
    import asyncio

    from deploy.local import background
    from deploy.local.state import State

    outlive_the_reader()
    with errors_in_words():
        stopped = asyncio.run(background.down(State(directory)))
    click.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
@as_json
@a_folder
def status(as_json: bool, directory: Path) -> None:
    """Show the health of every component, probed now. Exit code 0: all healthy; 1: not; 3: nothing runs."""
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
        click.echo("\n".join(found.words()))
    if not found.supervised and not found.left:
        sys.exit(EXIT_NOT_RUNNING)
    sys.exit(0 if found.ready else EXIT_FAILED)


@app.command()
@click.argument("name")
@click.option("--follow", "-f", "following", is_flag=True, help="Follow the log as it grows.")
@click.option("--lines", "-n", type=click.IntRange(0), default=200, show_default=True, help="Number of lines.")
@click.option("--raw", is_flag=True, help="Without formatting: the services write JSON.")
@a_folder
def logs(name: str, following: bool, lines: int, raw: bool, directory: Path) -> None:
    """Show the log of a component, or of the 'supervisor'."""
    from deploy.local import follow
    from deploy.local.state import State

    with errors_in_words():
        for line in follow.lines(State(directory), name, last=lines, following=following):
            click.echo(line if raw else follow.readable(line))


@app.command()
@a_folder
def reset(directory: Path) -> None:
    """Stop everything and forget all data. Packages, jars and recordings stay."""
    import asyncio

    from deploy.local import background
    from deploy.local.state import State

    state = State(directory)
    outlive_the_reader()
    with errors_in_words():
        asyncio.run(background.down(state))
        state.acquire()
        state.wipe()
    click.echo(f"{state.root} is empty")


@app.command("setup")
@click.option("--tests", is_flag=True, help="Also what only the tests need.")
def set_up(tests: bool) -> None:
    """Install missing packages, jars and class-data archives."""
    import asyncio

    from deploy.local import setup
    from deploy.local.progress import Progress

    with errors_in_words():
        asyncio.run(setup.ensure(Progress(console()), tests=tests))
    click.echo("everything is there")


for command in (*pipeline, *events, size, ksql):
    app.add_command(command)
