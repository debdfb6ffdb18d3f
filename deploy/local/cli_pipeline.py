"""The commands that steer the pipeline: thin clients of the provisioner's and the generator's REST APIs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from deploy.local.errors import NotRunning
from deploy.local.terminal import EXIT_FAILED, a_folder, as_json, console, errors_in_words, print_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deploy.local.client import Services
    from deploy.local.options import Options

Answer = dict[str, Any]
EXIT_UNSEEN = 4
"""Some resources could not be seen, so a plan is not whole."""
EXIT_NOT_CAUGHT_UP = 5
"""Queries have not read everything yet, so an audit cannot say."""


def call(directory: Path, question: Callable[[Services], Awaitable[Answer]]) -> Answer:
    with errors_in_words():
        options = running(directory)

        import asyncio

        from deploy.local.client import Services
        from deploy.local.ports import Ports

        async def answer() -> Answer:
            async with Services(Ports(options.port_offset)) as services:
                return await question(services)

        return asyncio.run(answer())


def running(directory: Path) -> Options:
    from deploy.local.options import Options
    from deploy.local.state import State

    state = State(directory)
    run = state.read_run()
    if not state.supervised() or not run:
        raise NotRunning(f"nothing runs in {state.root}", hint="pagepulse up --detach")
    return Options.read(run["options"])


def _show(answer: Answer, as_json: bool, picture: Literal["load", "plan", "run", "report", "sample"]) -> None:
    if as_json:
        print_json(answer)
        return
    from deploy.local import pipeline_tables

    console().print(getattr(pipeline_tables, picture)(answer))


@click.group(no_args_is_help=True)
def load() -> None:
    """Start, stop and steer the load."""


@load.command("start")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=200,
    show_default=True,
    help="Events per second; 0: as fast as Kafka takes them.",
)
@a_folder
@as_json
def load_start(rate: float, directory: Path, as_json: bool) -> None:
    """Start generating."""
    _show(call(directory, lambda services: services.generate(rate)), as_json, "load")


@load.command("replay")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--speed",
    type=click.FloatRange(0, 1_000, min_open=True),
    default=1,
    show_default=True,
    help="10: ten times as fast.",
)
@click.option("--loop", is_flag=True, help="Begin again at the end.")
@a_folder
@as_json
def load_replay(file: Path, speed: float, loop: bool, directory: Path, as_json: bool) -> None:
    """Send the events of a recording (pagepulse record), at their own pace or faster."""
    from deploy.local.state import State

    with errors_in_words():
        running(directory)
        kept = State(directory).recordings / file.name
        if file.resolve() != kept:
            import shutil

            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, kept)
    _show(call(directory, lambda services: services.replay(file.name, speed=speed, loop=loop)), as_json, "load")


@load.command("stop")
@a_folder
@as_json
def load_stop(directory: Path, as_json: bool) -> None:
    """Stop generating; every event is acknowledged or counted as failed."""
    _show(call(directory, lambda services: services.halt()), as_json, "load")


@load.command("rate")
@click.argument("rate", type=click.FloatRange(0))
@a_folder
@as_json
def load_rate(rate: float, directory: Path, as_json: bool) -> None:
    """Change the rate of the running load."""
    _show(call(directory, lambda services: services.set_rate(rate)), as_json, "load")


@load.command("status")
@a_folder
@as_json
def load_status(directory: Path, as_json: bool) -> None:
    """Show the state of the generator."""
    _show(call(directory, lambda services: services.generation()), as_json, "load")


@click.command()
@a_folder
@as_json
def plan(directory: Path, as_json: bool) -> None:
    """Show what apply would do to each resource. Exit code 4: some could not be observed."""
    answer = call(directory, lambda services: services.plan())
    _show(answer, as_json, "plan")
    if answer.get("unseen"):
        sys.exit(EXIT_UNSEEN)


@click.command()
@a_folder
@as_json
def apply(directory: Path, as_json: bool) -> None:
    """Make the pipeline as described. Resources as desired are not changed."""
    with console().status("applying") as shown:
        run = call(directory, lambda services: services.apply(shown.update))
    _show(run, as_json, "run")


@click.command()
@a_folder
@as_json
def sample(directory: Path, as_json: bool) -> None:
    """Show a few rows of every topic and table."""
    _show(call(directory, lambda services: services.sample()), as_json, "sample")


@click.command()
@a_folder
@as_json
def verify(directory: Path, as_json: bool) -> None:
    """Recompute every result from the raw topics and compare. Exit code 1: something differs; 5: the queries have not caught up."""
    with console().status("recomputing") as shown:
        report = call(directory, lambda services: services.verify(shown.update))
    _show(report, as_json, "report")
    if not report.get("ok"):
        sys.exit(EXIT_NOT_CAUGHT_UP if report.get("verdict") == "not_caught_up" else EXIT_FAILED)


@click.command()
@click.option("--delete-topics", is_flag=True, help="All records too.")
@a_folder
@as_json
def teardown(delete_topics: bool, directory: Path, as_json: bool) -> None:
    """Remove the pipeline. Without --delete-topics the raw topics stay."""
    with console().status("removing") as shown:
        run = call(directory, lambda services: services.teardown(delete_topics=delete_topics, progress=shown.update))
    _show(run, as_json, "run")


pipeline: tuple[click.Command, ...] = (plan, apply, sample, verify, teardown, load)
