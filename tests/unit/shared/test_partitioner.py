from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.partitioner import murmur2, partition_for, partitions_for

# What Apache Kafka's own unit test expects of Utils.murmur2: signed, as Java has it.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "java"), JAVA.items())
def test_the_hash_and_the_partition_are_javas(key: bytes, java: int) -> None:
    assert murmur2(key) == java & 0xFFFFFFFF
    assert partition_for(key, 5) == (java & 0x7FFFFFFF) % 5


@pytest.mark.parametrize("key", [key for key in JAVA if len(key) % 4 == 0])
def test_many_keys_are_hashed_as_java_does(key: bytes) -> None:
    rows = np.frombuffer(key * 3, dtype=np.uint8).reshape(3, len(key))

    assert partitions_for(rows, 5).tolist() == [(JAVA[key] & 0x7FFFFFFF) % 5] * 3


@given(
    st.integers(1, 10).flatmap(lambda n: st.lists(st.binary(min_size=4 * n, max_size=4 * n), min_size=1)),
    st.integers(1, 64),
)
def test_both_forms_agree(keys: list[bytes], partitions: int) -> None:
    rows = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), len(keys[0]))

    assert partitions_for(rows, partitions).tolist() == [partition_for(key, partitions) for key in keys]
