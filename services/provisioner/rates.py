"""How fast something grows, from counts that were seen now and then."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from shared.errors import PagePulseError

#: a rate is taken over at most this long, and over at least the other: shorter is noise
_LONGEST_S: Final = 10.0
_SHORTEST_S: Final = 0.5
#: for an answer with the count; well within the deadline of an observation, which is worth more than its rate
_ANSWER_WITHIN_S: Final = 3.0


class Growth:
    """Counts of one thing; looks that come close together are kept as one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    async def measure(self, count: Callable[[], Awaitable[int]]) -> float | None:
        """As ``rate``, of a count that a server is asked for; None if it does not answer within a few seconds.

        ``count`` is called here, not by the caller: a coroutine that was made before a cancellation would never be awaited.
        """
        with suppress(PagePulseError, TimeoutError):
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                return self.rate(await count())
        return None

    def rate(self, count: int) -> float | None:
        """Per second since an earlier look; None if there is none yet, or none since it began anew."""
        now, seen = self._clock(), self._seen
        if seen and count < seen[-1][1]:
            seen.clear()
        while len(seen) > 1 and now - seen[1][0] >= _LONGEST_S:
            seen.popleft()
        since, earlier = seen[0] if seen else (now, count)
        if not seen or now - seen[-1][0] >= _SHORTEST_S:
            seen.append((now, count))
        return round((count - earlier) / (now - since), 1) if now - since >= _SHORTEST_S else None
