"""``pagepulse size``: what a rate and a population need beyond one machine. The arithmetic is in deploy/sizing."""

from __future__ import annotations

import click

from deploy.local.terminal import console


@click.command()
@click.option(
    "--rate",
    type=click.FloatRange(1),
    default=1_000,
    show_default=True,
    help="Events per second, page views and logins together.",
)
@click.option(
    "--users", type=click.FloatRange(1), default=10_000, show_default=True, help="People in the table of users."
)
@click.option("--sources", is_flag=True, help="Also the origin of each figure.")
def size(rate: float, users: float, sources: bool) -> None:
    """Count partitions, nodes, disk and network for a load. Each figure with its arithmetic."""
    from rich.table import Table

    from deploy.sizing import facts as known
    from deploy.sizing import model

    out = console()
    facts = known.load()
    sheet = model.size(rate, users, facts)
    table = Table("part", "what", "value", "arithmetic", box=None)
    part = ""
    for line in sheet.lines:
        table.add_row(line.part if line.part != part else "", line.what, line.figure, line.arithmetic)
        part = line.part
    out.print(table)
    for note in sheet.notes():
        out.print(f"! {note}")
    if sources:
        table = Table("figure", "value", "source", box=None)
        for fact in facts.used.values():
            table.add_row(fact.name, f"{fact.value:g} {fact.unit}", fact.source)
        out.print(table)
