"""Session ids in blocks: random, unique, with the partition of each already known.

Kafka's murmur2 in Python costs several microseconds per key, more than all the rest of an event. Ids of one length let
numpy hash a whole block at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from shared.partitioner import partitions_for

#: hexadecimal digits of an id: 64 random bits
ID_LENGTH: Final = 16
_BLOCK: Final = 4096


def session_ids(rng: np.random.Generator, partitions: int) -> Iterator[tuple[bytes, int]]:
    """Endless (id, partition). The partition is that of ``shared.partitioner.partition_for``."""
    while True:
        text = rng.bytes(_BLOCK * ID_LENGTH // 2).hex().encode()
        keys = np.frombuffer(text, dtype=np.uint8).reshape(_BLOCK, ID_LENGTH)
        for position, partition in enumerate(partitions_for(keys, partitions).tolist()):
            start = position * ID_LENGTH
            yield text[start : start + ID_LENGTH], partition
