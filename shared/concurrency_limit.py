"""Caps concurrent streams and other long requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import TooManyRequests


class ConcurrencyLimit:
    """At most ``limit`` at a time; ``what`` is their plural in the error's text."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self.taken = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Holds one place while the block runs.

        Raises:
            TooManyRequests: all are taken.
        """
        if self.taken >= self._limit:
            raise TooManyRequests(
                f"At capacity: {self._limit} {self._what} are open already. Close one, or retry later."
            )
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
