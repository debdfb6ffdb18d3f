"""Reading a log, going on as it grows, and making its lines readable."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.local.errors import StackError
from deploy.local.state import State

POLL_SECONDS = 0.2
SHOWN_APART = frozenset(
    {"timestamp", "level", "event", "logger", "service", "exception", "color_message", "request_id"}
)


def tail(log: Path, lines: int) -> tuple[str, ...]:
    """The last lines of a log; empty if there is none."""
    try:
        with log.open(errors="replace") as file:
            return tuple(line.rstrip() for line in deque(file, maxlen=lines))
    except FileNotFoundError:
        return ()


def readable(line: str) -> str:
    """A line of a service's log (a JSON object) as ``time level message field=value ...``, its traceback below; any other as it is.

    What would steer the terminal is shown as an escape: clients can write into the logs.
    """
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or "event" not in entry:
        return visible(line)
    fields = (f"{key}={_value(value)}" for key, value in entry.items() if key not in SHOWN_APART and value is not None)
    parts = (_time(entry.get("timestamp")), f"{str(entry.get('level', '')).upper():<7}", str(entry["event"]), *fields)
    exception = str(entry.get("exception") or "").rstrip()
    return visible(" ".join(parts).strip()) + (
        "\n" + "\n".join(map(visible, exception.splitlines())) if exception else ""
    )


def visible(text: str) -> str:
    """On one line, with every character that would steer the terminal as an escape."""
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)


def _time(stamp: object) -> str:
    try:
        return datetime.fromisoformat(str(stamp)).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except ValueError:
        return str(stamp or "")


def _value(value: Any) -> str:
    if isinstance(value, str) and value and not any(c.isspace() or c in '"=' for c in value):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def lines(state: State, name: str, *, last: int, following: bool) -> Iterator[str]:
    """The last lines of a component's log, then (if ``following``) every further one, until the caller stops asking.

    Raises StackError, naming the logs that are there.
    """
    log = state.log(name)
    if not log.is_file():
        there = sorted(path.stem for path in state.logs.glob("*.log"))
        raise StackError(
            f"there is no log of {name!r}",
            hint=f"there are: {', '.join(there)}" if there else f"nothing has run in {state.root} yet",
        )
    end = log.stat().st_size
    yield from tail(log, last)
    if not following:
        return
    with log.open(errors="replace") as file:
        file.seek(end)
        rest = ""
        while True:
            rest += file.read()
            *whole, rest = rest.split("\n")
            yield from whole
            time.sleep(POLL_SECONDS)
