"""docs/performance.md: each benchmark replaces its own section, between two markers, and leaves the others alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

PERFORMANCE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
RELIABILITY: Final = PERFORMANCE.with_name("reliability.md")
_HEAD: Final = """# Performance

Every section is written by the benchmark that it names, with `--write-docs`; the numbers are those of one run.
"""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, numbers to the right."""
    rule = ["---", *("---:" for _ in columns[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, rule, *rows))


def machine_line(machine: dict[str, Any]) -> str:
    """Where and when: one sentence."""
    load = ", ".join(f"{value:g}" for value in machine["load_average"])
    return (
        f"Machine: {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}, Python "
        f"{machine['python']}; load average at the end {load} (1, 5, 15 minutes; the benchmark is most of it)."
    )


def write_section(name: str, text: str, path: Path = PERFORMANCE) -> None:
    """Puts ``text`` between the markers of ``name``; a new section goes to the end."""
    begin, end = f"<!-- benchmark: {name} -->", f"<!-- end: {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    document = path.read_text() if path.exists() else _HEAD
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    document, replaced = pattern.subn(lambda _: section, document)
    if not replaced:
        document = f"{document.rstrip()}\n\n{section}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document)
