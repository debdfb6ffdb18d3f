"""``pagepulse size``: what a rate and a population need beyond one machine. The arithmetic is in deploy/sizing."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.local.terminal import console

sizing = typer.Typer()


@sizing.command("size")
def show(
    rate: Annotated[float, typer.Option(min=1, help="Events per second, page views and logins together.")] = 1_000,
    users: Annotated[float, typer.Option(min=1, help="People in the table of users.")] = 10_000,
    sources: Annotated[bool, typer.Option("--sources", help="Also where each figure comes from.")] = False,
) -> None:
    """Count what a load needs: partitions, nodes, disk, network. Each figure with its arithmetic."""
    from rich.table import Table

    from deploy.sizing import facts as known
    from deploy.sizing.model import size

    out = console()
    facts = known.load()
    sheet = size(rate, users, facts)
    table = Table("part", "what", "value", "arithmetic", box=None)
    part = ""
    for line in sheet.lines:
        table.add_row(line.part if line.part != part else "", line.what, line.told, line.arithmetic)
        part = line.part
    out.print(table)
    for note in sheet.notes():
        out.print(f"! {note}")
    if sources:
        table = Table("figure", "value", "source", box=None)
        for fact in facts.used.values():
            table.add_row(fact.name, f"{fact.value:g} {fact.unit}", fact.source)
        out.print(table)
