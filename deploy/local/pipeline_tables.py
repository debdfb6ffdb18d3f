"""Tables of what the services answer. They show the members they know and leave the rest to ``--json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Answer = Mapping[str, Any]
LISTS = ("resources", "steps", "tables", "items", "changes")
NAMES = frozenset({"kind", "name", "resource", "table", "side", "action", "state"})
"""Columns that are never broken over lines."""

COLUMNS = (
    *("kind", "name", "resource", "table", "side", "action", "state", "attempts", "took_ms"),
    *("compared", "equal", "missing", "extra", "different", "late"),
    *("reason", "detail", "error"),
)


def load(answer: Answer) -> RenderableType:
    """The generator's status."""
    rate = answer.get("achieved_rate") or {}
    known = {
        "state": answer.get("state"),
        "asked": f"{answer.get('target_rate') or 0:,.1f} events/s",
        "achieved": f"{rate.get('last_1s') or 0:,.1f} events/s now, {rate.get('overall') or 0:,.1f} over the run",
        "acknowledged": f"{answer.get('acknowledged', 0):,}",
        "failed": answer.get("failed") or "none",
    }
    return _pairs(known)


def resources(answer: Answer) -> RenderableType:
    """One line per resource, step or table, then the single values."""
    parts: list[RenderableType] = [_rows(answer[key], COLUMNS) for key in LISTS if isinstance(answer.get(key), list)]
    single = {key: value for key, value in answer.items() if not isinstance(value, list | dict) and value is not None}
    return Group(*parts, _pairs(single))


def sample(answer: Answer) -> RenderableType:
    """One table per topic, ksqlDB table and Pinot table."""
    parts: list[RenderableType] = []
    for kind, samples in answer.items():
        for found in samples if isinstance(samples, list) else ():
            parts.append(plain(f"\n{kind}: {found['name']}", "bold"))
            rows = found.get("rows")
            parts.append(_rows(rows, None) if rows else plain(found.get("error") or "no rows", "dim"))
    return Group(*parts) if parts else Text("nothing to sample")


def _rows(rows: Iterable[Any], wanted: Iterable[str] | None) -> RenderableType:
    rows = [row if isinstance(row, dict) else {"value": row} for row in rows]
    present = list(dict.fromkeys(key for row in rows for key in row))
    columns = present if wanted is None else [column for column in wanted if column in present]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(plain(column), overflow="fold", no_wrap=column in NAMES)
    for row in rows:
        table.add_row(*(plain("" if row.get(column) is None else row[column]) for column in columns))
    return table


def _pairs(values: Mapping[str, Any]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in values.items():
        table.add_row(plain(key, "dim"), plain(value))
    return table


def plain(value: object, style: str = "") -> Text:
    """A value as it is: what looks like rich's markup is none, and what would steer the terminal is shown as an escape."""
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(value))
    return Text(shown, style)
