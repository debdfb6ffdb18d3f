"""Tables of what the services answer, readable from 80 columns on. They show the members they know; ``--json`` has the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from deploy.local.follow import visible

Answer = Mapping[str, Any]
Row = Mapping[str, Any]
UNTIL_A_COLUMN_FOLDS = 36
_EPOCH_MS = range(946_684_800_000, 4_102_444_800_000)
"""2000 to 2100."""
_TIME_WORDS = ("time", "timestamp", "start", "end", "at", "rowtime", "windowstart", "windowend", "ts")


_VERDICTS = {
    "equal": ("every row is right", "green"),
    "not_caught_up": ("rows differ only in tables whose queries are behind: run verify again", "yellow"),
    "different": ("rows are missing, extra or different", "bold red"),
}


_OF_THE_RECORD = ("key", "partition", "offset", "timestamp")
"""Where a record is in its topic: less than what it holds."""


def load(answer: Answer) -> RenderableType:
    """The generator's status."""
    rate = answer.get("achieved_rate") or {}
    known = {
        "state": answer.get("state"),
        "target": f"{answer.get('target_rate') or 0:,.1f} events/s",
        "achieved": f"{rate.get('last_1s') or 0:,.1f} events/s now, {rate.get('overall') or 0:,.1f} over the run",
        "acknowledged": f"{answer.get('acknowledged', 0):,}",
        "failed": ", ".join(f"{cause}: {count:,}" for cause, count in (answer.get("failed") or {}).items()) or "none",
    }
    return _pairs(known)


def plan(answer: Answer) -> RenderableType:
    """What an apply would do: first what differs, each difference below its resource, then the unchanged resources."""
    steps: Sequence[Answer] = answer.get("steps", [])
    changes = [step for step in steps if step.get("action") != "unchanged"]
    table = _table("action", "resource", "why")
    steps = [*changes, *(step for step in steps if step.get("action") == "unchanged")]
    for step in steps:
        why = [str(step.get("reason") or "")]
        why += [
            f"{d.get('field')}: {_or_absent(d.get('actual'))} -> {_or_absent(d.get('desired'))}"
            for d in step.get("differences") or ()
        ]
        table.add_row(plain(step.get("action")), plain(_resource(step)), plain("\n".join(why)))
    counted = Counter(str(step.get("action")) for step in steps)
    return Group(table, plain(", ".join(f"{count} {action}" for action, count in counted.items()) or "no resources"))


def run(answer: Answer) -> RenderableType:
    """An apply or a teardown, step by step."""
    table = _table("action", "resource", "state", ">took", "detail")
    for step in answer.get("steps", []):
        attempts = int(step.get("attempts") or 0)
        detail = [str(step.get("error") or step.get("detail") or "")]
        detail += [f"({attempts} attempts)"] if attempts > 1 else []
        table.add_row(
            plain(step.get("action")),
            plain(_resource(step)),
            plain(step.get("state")),
            plain(_took(step.get("took_ms"))),
            plain(" ".join(detail)),
        )
    error = answer.get("error")
    return Group(table, plain(f"{answer.get('kind')} {answer.get('state')}" + (f": {error}" if error else "")))


def report(answer: Answer) -> RenderableType:
    """An audit: one line per table and side, then the first missing, extra or different rows."""
    table = _table("table", "side", ">rows", ">equal", ">unsure", ">late", "wrong")
    wrong: list[RenderableType] = []
    for found in answer.get("tables", []):
        numbers = (plain(f"{found.get(name) or 0:,}") for name in ("compared", "equal", "unsure", "late"))
        faults = [f"{found[name]:,} {name}" for name in ("missing", "extra", "different") if found.get(name)]
        table.add_row(
            plain(found.get("table")),
            plain(found.get("side")),
            *numbers,
            plain(", ".join(faults) or "none", "red" * any(faults)),
        )
        for example in found.get("examples") or ():
            where = f"{found.get('table')} ({found.get('side')}) {example.get('problem')}: {example.get('identity')}"
            wrong += [plain(where, "red"), _pairs({k: _cell(k, example.get(k)) for k in ("expected", "actual")})]
    verdict, style = _VERDICTS.get(str(answer.get("verdict")), _VERDICTS["different"])
    took = _took(answer.get("took_ms"))
    return Group(table, *wrong, _pairs(_records(answer)), plain(f"{verdict} (recomputed in {took})", style))


def _records(answer: Answer) -> dict[str, str]:
    """By topic, or by table for ``behind``: records read, and how many of them were skipped, rewritten or not decoded."""
    rewritten = answer.get("rewritten") or {}
    counts: tuple[tuple[Mapping[str, int], str], ...] = (
        (answer.get("unreadable") or {}, "skipped by the pipeline"),
        ({topic: found.get("records") or 0 for topic, found in rewritten.items()}, "with a rewritten dimension"),
        ({topic: found.get("merged") or 0 for topic, found in rewritten.items()}, "names that merge several texts"),
        (answer.get("undecodable") or {}, "undecodable (written by another program)"),
        (answer.get("behind") or {}, "records behind"),
    )
    lines = {topic: [f"{count:,} records"] for topic, count in (answer.get("records") or {}).items()}
    for found, text in counts:
        for name, count in found.items():
            if count:
                lines.setdefault(name, []).append(f"{count:,} {text}")
    return {name: ", ".join(texts) for name, texts in lines.items()}


def sample(answer: Answer) -> RenderableType:
    """One table per topic, ksqlDB table and Pinot table."""
    parts: list[RenderableType] = []
    for kind, samples in answer.items():
        for found in samples if isinstance(samples, list) else ():
            parts.append(plain(f"\n{kind.replace('_', ' ')}: {found['name']}", "bold"))
            rows = found.get("rows")
            parts.append(Rows(rows) if rows else plain(found.get("error") or "no rows", "dim"))
    return Group(*parts) if parts else Text("nothing to sample")


class Rows:
    """Rows as a table. What does not fit the width: first without the record's position, else each row as a list of its members."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = [{key: _cell(key, value) for key, value in _flat(row).items()} for row in rows]
        columns = list(dict.fromkeys(key for row in self._rows for key in row))
        # The key of a record is often one of its fields, and its time another one.
        fields = {self._values(column) for column in columns if column not in _OF_THE_RECORD}
        self._columns = [c for c in columns if c not in _OF_THE_RECORD or self._values(c) not in fields]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for columns in (self._columns, [column for column in self._columns if column not in _OF_THE_RECORD]):
            widths = [self._width(column) for column in columns]
            if columns and sum(widths) + 2 * len(widths) <= options.max_width:
                yield self._table(columns, widths)
                return
        for row in self._rows:
            yield _pairs({column: row.get(column, "") for column in self._columns})
            yield Text()

    def _values(self, column: str) -> tuple[str, ...]:
        return tuple(row.get(column, "") for row in self._rows)

    def _width(self, column: str) -> int:
        return max(len(column), *(min(len(row.get(column, "")), UNTIL_A_COLUMN_FOLDS) for row in self._rows))

    def _table(self, columns: list[str], widths: list[int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(plain(column), overflow="fold", min_width=len(column), max_width=max(width, len(column)))
        for row in self._rows:
            table.add_row(*(plain(row.get(column, "")) for column in columns))
        return table


def plain(value: object, style: str = "") -> Text:
    """A value as it is: what looks like rich's markup is none, and what would steer the terminal is shown as an escape."""
    return Text("\n".join(visible(line) for line in str("" if value is None else value).split("\n")), style)


def moment(milliseconds: int) -> str:
    """A Unix time as local time; the day only if it is not today's."""
    when = datetime.fromtimestamp(milliseconds / 1000).astimezone()
    clock = when.strftime("%H:%M:%S") + (f".{milliseconds % 1000:03}" if milliseconds % 1000 else "")
    return clock if when.date() == datetime.now().astimezone().date() else f"{when:%Y-%m-%d} {clock}"


def _table(*columns: str) -> Table:
    """``>`` before a head: the column holds numbers. The last column folds, no other one is broken, no head is."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        head = column.removeprefix(">")
        last = column == columns[-1]
        table.add_column(
            head, justify="right" if column != head else "left", no_wrap=not last, overflow="fold", min_width=len(head)
        )
    return table


def _resource(step: Answer) -> str:
    return str(step.get("resource") or f"{step.get('kind')}:{step.get('name')}")


def _flat(row: Row) -> dict[str, object]:
    """A record with the fields of its key and its value beside its position."""
    flat: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, dict) and name in {"key", "value"}:
            flat.update(value)
        elif name != "value" or value is not None:  # a tombstone has none
            flat[name] = value
    return flat


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and value in _EPOCH_MS and name.lower().split("_")[-1] in _TIME_WORDS:
        return moment(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _or_absent(value: object) -> str:
    return "absent" if value is None else str(value)


def _took(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def _pairs(values: Mapping[str, Any]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in values.items():
        table.add_row(plain(key, "dim"), plain(value))
    return table
