"""Session ids in blocks: random, unique, with the partition of each already known.

Kafka's murmur2 in Python costs several microseconds per key, more than all the rest of an event. Ids of one length let
numpy hash a whole block at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: hexadecimal digits of an id: 64 random bits
ID_LENGTH: Final = 16
_BLOCK: Final = 4096
_SEED: Final = 0x9747B28C
_M: Final = np.uint32(0x5BD1E995)


def session_ids(rng: np.random.Generator, partitions: int) -> Iterator[tuple[bytes, int]]:
    """Endless (id, partition). The partition is that of ``shared.kafka.partition_for``."""
    while True:
        text = rng.bytes(_BLOCK * ID_LENGTH // 2).hex().encode()
        keys = np.frombuffer(text, dtype=np.uint8).reshape(_BLOCK, ID_LENGTH)
        chosen = ((murmur2(keys) & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)).tolist()
        for position, partition in enumerate(chosen):
            start = position * ID_LENGTH
            yield text[start : start + ID_LENGTH], partition


def murmur2(keys: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Kafka's murmur2 (32 bit, seed 0x9747b28c) of each row; the row length must be a multiple of 4."""
    length = keys.shape[1]
    words = np.ascontiguousarray(keys).view("<u4")
    h = np.full(len(keys), np.uint32(_SEED ^ length), dtype=np.uint32)
    with np.errstate(over="ignore"):
        for column in range(length // 4):
            k = words[:, column] * _M
            k = (k ^ (k >> np.uint32(24))) * _M
            h = (h * _M) ^ k
        h = (h ^ (h >> np.uint32(13))) * _M
    return h ^ (h >> np.uint32(15))
