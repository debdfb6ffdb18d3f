"""The partitions of keys, remembered: hashing costs more than the rest of a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shared.partitioner import partition_for

_KEPT = 100_000


class KeyCache:
    """Serialised keys and their partitions, each made once."""

    def __init__(self, encode: Callable[[Sequence[Any]], bytes | None], partitions: int) -> None:
        self._encode = encode
        self._partitions = partitions
        self._known: dict[tuple[Any, ...], int] = {}

    def partition(self, key: tuple[Any, ...]) -> int:
        """The partition that rows of this key would lie in."""
        if self._partitions == 1:
            return 0
        known = self._known.get(key)
        if known is None:
            data = self._encode(key)
            known = partition_for(data, self._partitions) if data is not None else 0
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = known
        return known
