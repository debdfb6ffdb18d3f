"""The commands that steer the pipeline: thin clients of the provisioner's and the generator's REST APIs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from deploy.local import pipeline_tables as tables
from deploy.local.client import Services
from deploy.local.console import failure
from deploy.local.errors import NotRunning, StackError
from deploy.local.options import Options
from deploy.local.ports import Ports
from deploy.local.state import State

pipeline = typer.Typer()
load = typer.Typer(help="Start, stop and steer the load.", no_args_is_help=True)
pipeline.add_typer(load, name="load")

console = Console(highlight=False)
Dir = Annotated[Path, typer.Option("--dir", help="Folder of the stack's state.")]
Json = Annotated[bool, typer.Option("--json", help="The answer as it came.")]
DEFAULT_DIR = Path(".pagepulse")
Answer = dict[str, Any]


def _ask(directory: Path, question: Callable[[Services], Awaitable[Answer]]) -> Answer:
    async def ask() -> Answer:
        async with Services(Ports(_running(directory).port_offset)) as services:
            return await question(services)

    try:
        return asyncio.run(ask())
    except StackError as error:
        console.print(failure(error))
        raise typer.Exit(1) from None


def _running(directory: Path) -> Options:
    state = State(directory)
    run = state.read_run()
    if not state.supervised() or not run:
        raise NotRunning(f"nothing runs in {state.root}", hint="pagepulse up --detach")
    return Options.read(run["options"])


def _show(answer: Answer, as_json: bool, picture: Callable[[Answer], Any]) -> None:
    if as_json:
        typer.echo(json.dumps(answer, indent=1))
    else:
        console.print(picture(answer))


@load.command("start")
def load_start(
    rate: Annotated[float, typer.Option(min=0, help="Events per second; 0: as fast as Kafka takes them.")] = 200,
    directory: Dir = DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Start generating."""
    _show(_ask(directory, lambda services: services.generate(rate)), as_json, tables.load)


@load.command("stop")
def load_stop(directory: Dir = DEFAULT_DIR, as_json: Json = False) -> None:
    """Stop generating; every event is acknowledged or counted as failed."""
    _show(_ask(directory, Services.halt), as_json, tables.load)


@load.command("rate")
def load_rate(
    rate: Annotated[float, typer.Argument(min=0)], directory: Dir = DEFAULT_DIR, as_json: Json = False
) -> None:
    """Change the rate of the running load."""
    _show(_ask(directory, lambda services: services.set_rate(rate)), as_json, tables.load)


@load.command("status")
def load_status(directory: Dir = DEFAULT_DIR, as_json: Json = False) -> None:
    """Say what the generator does."""
    _show(_ask(directory, Services.generation), as_json, tables.load)


@pipeline.command()
def plan(directory: Dir = DEFAULT_DIR, as_json: Json = False) -> None:
    """Show what apply would do to each resource."""
    _show(_ask(directory, Services.plan), as_json, tables.resources)


@pipeline.command()
def apply(directory: Dir = DEFAULT_DIR, as_json: Json = False) -> None:
    """Make the pipeline as it is described; what is right already is left alone."""
    with console.status("applying") as shown:
        run = _ask(directory, lambda services: services.apply(shown.update))
    _show(run, as_json, tables.resources)


@pipeline.command()
def sample(directory: Dir = DEFAULT_DIR, as_json: Json = False) -> None:
    """Show a few rows of every topic, ksql table and Pinot table."""
    _show(_ask(directory, Services.sample), as_json, tables.sample)


@pipeline.command()
def verify(directory: Dir = DEFAULT_DIR, as_json: Json = False) -> None:
    """Recompute every result from the raw topics and compare. Exit code 1: something differs."""
    with console.status("recomputing"):
        report = _ask(directory, Services.verify)
    _show(report, as_json, tables.resources)
    if not report.get("ok"):
        raise typer.Exit(1)


@pipeline.command()
def teardown(
    delete_topics: Annotated[bool, typer.Option("--delete-topics", help="All records too.")] = False,
    directory: Dir = DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Remove the pipeline; without --delete-topics the raw topics stay."""
    with console.status("removing") as shown:
        run = _ask(directory, lambda services: services.teardown(delete_topics=delete_topics, progress=shown.update))
    _show(run, as_json, tables.resources)
