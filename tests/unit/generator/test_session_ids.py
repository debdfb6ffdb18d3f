from __future__ import annotations

from itertools import islice

import numpy as np

from services.generator.session_ids import ID_LENGTH, session_ids
from shared.partitioner import partition_for


def test_ids_are_unique_and_lie_where_java_puts_them() -> None:
    ids = list(islice(session_ids(np.random.default_rng(1), 5), 10_000))

    assert len({key for key, _ in ids}) == 10_000
    assert all(len(key) == ID_LENGTH for key, _ in ids)
    assert all(partition == partition_for(key, 5) for key, partition in ids[:500])
    counts = np.bincount([partition for _, partition in ids])
    assert counts.min() > 1_800


def test_a_seed_gives_the_same_ids() -> None:
    first, second = (list(islice(session_ids(np.random.default_rng(9), 5), 100)) for _ in range(2))

    assert first == second
