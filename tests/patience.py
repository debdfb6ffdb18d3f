"""How long tests wait, in one place.

A deadline here ends a wait that would never end; it says nothing about speed. A test goes on as soon as its condition holds, so
that a quiet machine loses nothing by the patience that a busy one needs. Tests wait with ``eventually``; fixed sleeps and
deadlines of one's own fail on a slow machine.
"""

from __future__ import annotations

import inspect
import time
from asyncio import sleep
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

#: for one step: an answer, a page that is drawn, a record that arrives. A quiet machine needs a second.
STEP_S = 120.0
#: for a whole piece of work of the stack: an apply, an audit, the recovery from a fault
WORK_S = 300.0
#: for the stack's start or stop
STACK_S = 900.0

Explanation = str | Callable[[], object]
_UNNAMED = "what the test waits for"


@overload
async def eventually(
    look: Callable[[], Awaitable[T]], what: Explanation = ..., within_s: float = ..., every_s: float = ...
) -> T: ...
@overload
async def eventually(
    look: Callable[[], T], what: Explanation = ..., within_s: float = ..., every_s: float = ...
) -> T: ...
async def eventually(
    look: Callable[[], object], what: Explanation = _UNNAMED, within_s: float = STEP_S, every_s: float = 0.02
) -> object:
    """Asks until the answer is true, and returns it; ``what`` (or what it returns) says what was waited for.

    Raises:
        AssertionError: it was not within ``within_s`` seconds.
    """
    end = time.monotonic() + within_s
    while True:
        found = look()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(_explained(what, within_s))
        await sleep(every_s)


def eventually_blocking(
    look: Callable[[], T], what: Explanation = _UNNAMED, within_s: float = STEP_S, every_s: float = 0.2
) -> T:
    """``eventually`` where there is no event loop.

    Raises:
        AssertionError: it was not within ``within_s`` seconds.
    """
    end = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(_explained(what, within_s))
        time.sleep(every_s)
    return found


def _explained(what: Explanation, within_s: float) -> str:
    return f"not within {within_s:g} s: {what() if callable(what) else what}"
