"""The commands that work on events: record them, look at rejected ones and send them again, erase a user."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.local.cli_pipeline import running
from deploy.local.terminal import a_folder, as_json, console, errors_in_words, print_json
from shared.topics import PAGE_VIEW, USER_SESSION

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        number = value.rstrip("smh")
        try:
            seconds = float(number) * _UNITS[value[len(number) :]]
        except (ValueError, KeyError):
            seconds = 0
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is no duration: 60s, 5m or 1h", param, ctx)
        return seconds


@click.command()
@click.option(
    "--topic",
    "topics",
    multiple=True,
    default=(PAGE_VIEW, USER_SESSION),
    show_default=True,
    help="A topic of page views or logins; may be repeated.",
)
@click.option("--for", "seconds", type=_Duration(), default="60s", show_default=True, help="E.g. 60s, 5m, 1h.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@a_folder
@as_json
def record(topics: tuple[str, ...], seconds: float, file: Path, directory: Path, as_json: bool) -> None:
    """Record arriving events.

    Into FILE, one per line (NDJSON), compressed if its name ends with .gz; `pagepulse load replay FILE` sends them again. Ctrl-C ends
    it early.
    """
    with errors_in_words():
        options = running(directory)

        import asyncio

        from deploy.local.ports import Ports
        from deploy.local.recording import record as write

        bootstrap = Ports(options.port_offset).bootstrap(options.brokers)
        with console(to_stderr=True).status("connecting to Kafka") as shown:
            written = asyncio.run(
                write(
                    bootstrap,
                    topics,
                    seconds,
                    file,
                    begun=lambda: shown.update(f"recording for {seconds:.0f} s"),
                    progress=lambda so_far: shown.update(f"{so_far.events:,} events recorded"),
                )
            )
    if as_json:
        print_json({"file": str(file), "events": written.events, "skipped": written.skipped})
    else:
        click.echo(f"{written.events:,} events in {file}, {written.skipped:,} records skipped that are no events")
        click.echo(f"pagepulse load replay {file} --speed 10")


events: tuple[click.Command, ...] = (record,)
