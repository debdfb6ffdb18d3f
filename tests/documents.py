"""The examples of README.md, CONTRIBUTING.md and docs/*.md: which there are, which are run, and what they must answer.

An example is a line of a fenced block marked ``sh``, or a ``curl`` in the last cell of a table's row. All are run, in the order in which
they are, by tests/integration/test_docs.py, except those with a comment that says why: ``<!-- not run: reason -->`` on the line before a
block, or in the row. A block marked ``json`` right behind a block of examples is the answer of its last line: ``"..."`` matches any
value, ``"..."`` as the last element of a list for further elements, and members that are not named may be there. ``ID`` in a command
is the id in the last answer that had one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stack import REPOSITORY

PAGES = (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md")))
ELLIPSIS = "..."
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
_CURL_CELL = re.compile(r"\| `(curl .+?)`")


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a page. ``answer``: what it must answer, if the page says so. ``not_run``: why it is not run."""

    page: str
    line: int
    command: str
    answer: Any = None
    not_run: str | None = None

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def examples(page: Path) -> list[Example]:
    """The examples of a page, in order."""
    name = page.relative_to(REPOSITORY).as_posix()
    lines = page.read_text().splitlines()
    found: list[Example] = []
    reason: str | None = None
    number = 0
    while number < len(lines):
        line = lines[number]
        if fence := re.match(r"```(\w*)$", line):
            end = next(n for n in range(number + 1, len(lines)) if lines[n] == "```")
            body = lines[number + 1 : end]
            if fence[1] in {"sh", "bash", "shell", "console"}:
                found += [
                    Example(name, number + 2 + at, command, not_run=reason) for at, command in enumerate_commands(body)
                ]
            elif fence[1] == "json" and found:
                last = found.pop()
                found.append(Example(last.page, last.line, last.command, json.loads("\n".join(body)), last.not_run))
            number, reason = end + 1, None
            continue
        if cell := _CURL_CELL.search(line):
            why = _NOT_RUN.search(line)
            command = cell[1].replace("\\|", "|")
            found.append(Example(name, number + 1, command, not_run=why[1] if why else None))
        elif why := _NOT_RUN.search(line):
            reason = why[1]
        elif line.strip():
            reason = None
        number += 1
    return found


def enumerate_commands(body: list[str]) -> list[tuple[int, str]]:
    """The commands of a block, each with the number of its first line: one a line, unless a backslash or an open quote goes on."""
    commands: list[tuple[int, str]] = []
    begun, text = 0, ""
    for at, line in enumerate(body):
        begun = begun if text else at
        text = f"{text}\n{line}" if text else line
        if (
            line.endswith("\\")
            or re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", text).count("'") % 2
            or re.search(r"\bdo$", line)
        ):
            continue
        if text.strip() and not text.lstrip().startswith("#"):
            commands.append((begun, text))
        text = ""
    return commands


def differences(expected: Any, actual: Any, where: str = "answer") -> list[str]:
    """What is not as the page says; empty if all is."""
    if expected == ELLIPSIS:
        return []
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = [f"{where} has no {key!r}" for key in expected if key not in actual]
        found = [
            d for key in expected if key in actual for d in differences(expected[key], actual[key], f"{where}.{key}")
        ]
        return missing + found
    if isinstance(expected, list) and isinstance(actual, list):
        more = expected[-1:] == [ELLIPSIS]
        wanted = expected[:-1] if more else expected
        if len(actual) < len(wanted) or (len(actual) > len(wanted) and not more):
            return [f"{where} has {len(actual)} elements"]
        return [
            d for n, (e, a) in enumerate(zip(wanted, actual, strict=False)) for d in differences(e, a, f"{where}[{n}]")
        ]
    return [] if expected == actual and type(expected) is type(actual) else [f"{where} is {actual!r}, not {expected!r}"]


def identity(answer: Any) -> str | None:
    """The id of a job, a run or a query in an answer."""
    if not isinstance(answer, dict):
        return None
    named = answer.get("id")
    return str(named) if named else next((i for value in answer.values() if (i := identity(value))), None)
