"""A sheet as Markdown, for the documentation and for a terminal alike."""

from __future__ import annotations

from deploy.sizing.facts import Facts
from deploy.sizing.sheet import Sheet


def markdown(sheet: Sheet) -> str:
    """A table of all lines, then what must be known beside them."""
    rows = ["| part | what | value | arithmetic |", "|---|---|---:|---|"]
    part = ""
    for line in sheet.lines:
        rows.append(f"| {line.part if line.part != part else ''} | {line.what} | {line.figure} | {line.arithmetic} |")
        part = line.part
    notes = [f"- {note}" for note in sheet.notes()]
    return "\n".join(rows + ([""] if notes else []) + notes)


def sources(facts: Facts) -> str:
    """Every figure that was used, with its source."""
    rows = ["| figure | value | source |", "|---|---:|---|"]
    rows += [f"| {fact.name} | {fact.value:g} {fact.unit} | {fact.source} |" for fact in facts.used.values()]
    return "\n".join(rows)
