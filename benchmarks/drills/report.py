"""The drills' rows: on the terminal as they come, as JSON, and as a section of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.document import RELIABILITY, machine_line, table, write_section
from benchmarks.drills.all import DRILLS
from benchmarks.drills.drill import Outcome
from benchmarks.harness import console

COLUMNS: Final = ("fault", "acknowledged", "lost", "doubled", "gap, s", "recovery, s", "verify")

Row = dict[str, Any]


def cells(row: Row) -> tuple[str, ...]:
    recovery = row["recovery_s"]
    return (
        row["fault"],
        f"{row['acknowledged']:,}",
        str(row["lost"]),
        str(row["doubled"]),
        f"{row['gap_s']:.1f}",
        "not in time" if recovery is None else f"{recovery:.1f}",
        "equal" if row["equal"] else "**differs**",
    )


def show(outcome: Outcome) -> None:
    row = outcome.publish()
    colour = "green" if outcome.passed else "red"
    console.print(
        f"[{colour}]{outcome.name}[/]: " + ", ".join(f"{c} {v}" for c, v in zip(COLUMNS, cells(row), strict=True))
    )
    for note in outcome.notes:
        console.print(f"    {note}")


def merged(earlier: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """In the order of the drills; a new row takes the place of an earlier one of the same drill."""
    by_name = {row["name"]: row for row in (*earlier, *rows)}
    return [by_name[drill.name] for drill in DRILLS if drill.name in by_name]


def read(path: Path | None) -> list[Row]:
    """The rows of an earlier run."""
    if path is None or not path.exists():
        return []
    found: list[Row] = orjson.loads(path.read_bytes())["drills"]
    return found


def write_docs(rows: Sequence[Row], facts: dict[str, Any], rate: float) -> None:
    text = f"""## The drills

`python -m benchmarks.drills --write-docs` (`make drill`): one fault at a time under {rate:,.0f} events/s, 3 % of them late, 1 % sent twice,
1 % malformed, while users change. Each row is that of the latest run of its drill; the machine had other work too where the load says so.

{table(COLUMNS, [cells(row) for row in rows])}

{machine_line(facts)}"""
    write_section("drills", text, RELIABILITY)
