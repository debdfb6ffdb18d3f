import pytest

from shared.kafka import partition_for


# Values of Apache Kafka's own unit test of Utils.murmur2, with the sign bit cleared, modulo 5.
@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_the_partitioner_is_javas(key: bytes, murmur2: int) -> None:
    assert partition_for(key, 5) == (murmur2 & 0x7FFFFFFF) % 5
