"""Commands on events: record them, list rejected ones and send them again, erase a user."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.local.cli_pipeline import call, running
from deploy.local.terminal import EXIT_FAILED, a_folder, as_json, console, errors_in_words, print_json
from shared.topics import PAGE_VIEW, USER_SESSION

if TYPE_CHECKING:
    from deploy.local.client import Services

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}

_FOLLOW_SECONDS = 1.0


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


@click.command()
@click.option("--reason", default="", help="A field's name, or a part of the reason.")
@click.option(
    "--limit", "-n", type=click.IntRange(1, 1_000), default=20, show_default=True, help="Number of the newest events."
)
@click.option("--follow", "-f", is_flag=True, help="Follow new ones until Ctrl-C.")
@a_folder
@as_json
def rejected(reason: str, limit: int, follow: bool, directory: Path, as_json: bool) -> None:
    """Show rejected events, with the reason."""

    async def show(services: Services) -> dict[str, Any]:
        import asyncio

        start: int | None = None
        while True:
            page = await services.rejected(start=start, limit=limit if start is None else 1_000, reason=reason)
            if start is None and not page["events"] and not as_json:
                click.echo("no rejected events" + (f" with the reason {reason!r}" if reason else ""))
            for event in page["events"]:
                click.echo(_as_line(event, as_json=as_json))
            if not follow:
                return page
            start = page["next"]
            await asyncio.sleep(_FOLLOW_SECONDS)

    call(directory, show)


def _as_line(event: dict[str, Any], *, as_json: bool) -> str:
    import json

    from deploy.local.follow import visible

    if as_json:
        return json.dumps(event)
    again = f", replayed {event['replays']} times" if event["replays"] else ""
    origin = f" from {event['origin']}" if event["origin"] else ""
    return visible(f"{event['offset']} {event['received_at'] or ''} {event['reason']}{origin}{again}: {event['value']}")


@click.command("replay-rejected")
@a_folder
@as_json
def replay_rejected(directory: Path, as_json: bool) -> None:
    """Send rejected events again after a repair, each once."""
    with console(to_stderr=True).status("sending") as shown:
        counts = call(directory, lambda services: services.replay_rejected(shown.update))
    if as_json:
        print_json(counts)
    else:
        click.echo(
            f"{counts['sent']:,} sent, {counts['rejected']:,} still not valid and left in the topic, "
            f"{counts['skipped']:,} skipped (duplicates, cut ones, those of another collector)"
        )


@click.command()
@click.argument("user", type=click.IntRange(1, 2**31 - 1))
@a_folder
@as_json
def forget(user: int, directory: Path, as_json: bool) -> None:
    """Erase a user from now on, and check the result. Exit code 1: a check failed or could not be made."""
    with console(to_stderr=True).status("erasing") as shown:
        answer = call(directory, lambda services: services.forget(user, shown.update))
    if as_json:
        print_json(answer)
    else:
        for check in answer["checks"]:
            state = {True: "gone", False: "STILL THERE", None: "not known"}[check["gone"]]
            click.echo(f"{state:12} {check['place']}{check['reason'] and ': ' + check['reason']}")
        click.echo(answer["detail"])
    if not all(check["gone"] for check in answer["checks"]):
        sys.exit(EXIT_FAILED)


events: tuple[click.Command, ...] = (record, rejected, replay_rejected, forget)
