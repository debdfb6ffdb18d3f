"""Keeps a burst of requests from holding the event loop: what else runs on it gets its turn in between."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """At most ``each`` callers go on in one turn of the loop; the others wait their turn, first come first served.

    A hundred requests that arrive together would otherwise be answered in one turn, which lasts as long as all of them.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Waits for a turn."""
        loop = asyncio.get_running_loop()
        if self._begun < self._each:
            if not self._begun:
                loop.call_soon(self._next)
            self._begun += 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        self._begun = 0
        while self._waiting and self._begun < self._each:
            turn = self._waiting.popleft()
            if not turn.done():  # its caller may have given up
                turn.set_result(None)
                self._begun += 1
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next)
