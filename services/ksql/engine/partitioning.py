"""Serialised keys and their partitions, remembered: hashing costs more than the rest of a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shared.partitioner import partition_for

_KEPT = 100_000


class KeyCache:
    """Keys as bytes with their partitions, chosen as Java's producer does, each made once."""

    def __init__(self, encode: Callable[[Sequence[Any]], bytes | None], partitions: int) -> None:
        self._encode = encode
        self._partitions = partitions
        self._known: dict[tuple[Any, ...], tuple[bytes | None, int]] = {}

    def entry(self, key: tuple[Any, ...]) -> tuple[bytes | None, int]:
        """The serialised key and its partition; a key that is serialised to nothing has partition 0."""
        known = self._known.get(key)
        if known is None:
            data = self._encode(key)
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[key] = data, 0 if data is None else partition_for(data, self._partitions)
        return known

    def partition(self, key: tuple[Any, ...]) -> int:
        """The partition that rows of this key would lie in."""
        return 0 if self._partitions == 1 else self.entry(key)[1]
