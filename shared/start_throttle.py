"""Spreads the start of a burst of requests over several iterations of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque


class StartThrottle:
    """At most ``each`` callers start in one iteration of the event loop, first come first served.

    A hundred requests that arrive together would otherwise run in one iteration, and everything else on the loop would wait for all
    of them.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Waits until the caller may start."""
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
