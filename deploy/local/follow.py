"""Reading a log, and going on as it grows."""

from __future__ import annotations

import time
from collections.abc import Iterator

from deploy.local.errors import StackError
from deploy.local.state import State
from deploy.local.supervisor import tail

POLL_SECONDS = 0.2


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
