"""Which partition a key belongs to: Java's murmur2, so that the engine agrees with every Kafka client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_KEPT = 100_000


def murmur2(data: bytes) -> int:
    """The 32-bit hash of Kafka's default partitioner."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ (k >> 24)) * _M & _MASK)
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of ``key``."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


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
