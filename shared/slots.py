"""Places for those who stay: streams that go on until their reader leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import TooManyRequests


class Slots:
    """At most ``limit`` at a time; ``what`` names them in the message."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self.taken = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """A place for as long as the block lasts.

        Raises:
            TooManyRequests: all are taken.
        """
        if self.taken >= self._limit:
            raise TooManyRequests(f"There are {self._limit} {self._what} already; close one, or come back later.")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
