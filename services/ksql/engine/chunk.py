"""Records of one partition that were fetched together, field by field: an object for each record costs more than its work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

from services.ksql.engine.records import Headers, InputRecord
from shared.lazy_numpy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Integers: TypeAlias = "NDArray[np.int64]"


class Chunk:
    """``offsets`` and ``timestamps`` (ms) as arrays, keys and values as bytes; ``headers`` is None where no record has any.

    ``memo`` is the engine's: what sources read out of the bytes, so that several queries over the same source read once.
    """

    __slots__ = (
        "_records",
        "_sizes",
        "headers",
        "keys",
        "memo",
        "offsets",
        "partition",
        "timestamps",
        "topic",
        "values",
    )

    def __init__(
        self,
        topic: str,
        partition: int,
        *,
        offsets: Sequence[int] | Integers,
        timestamps: Sequence[int] | Integers,
        keys: list[bytes | None],
        values: list[bytes | None],
        headers: list[Headers] | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offsets: Integers = np.asarray(offsets, dtype=np.int64)
        self.timestamps: Integers = np.asarray(timestamps, dtype=np.int64)
        self.keys = keys
        self.values = values
        self.headers = headers
        self.memo: list[tuple[Any, Any]] = []
        self._records: list[InputRecord | None] = [None] * len(keys)
        self._sizes: list[int] | None = None

    @classmethod
    def of(cls, records: Sequence[InputRecord]) -> Chunk:
        """Records of one partition, at least one."""
        headers = [r.headers for r in records]
        chunk = cls(
            records[0].topic,
            records[0].partition,
            offsets=[r.offset for r in records],
            timestamps=[r.timestamp for r in records],
            keys=[r.key for r in records],
            values=[r.value for r in records],
            headers=headers if any(headers) else None,
        )
        chunk._records = list(records)
        return chunk

    def __len__(self) -> int:
        return len(self.keys)

    def record(self, index: int) -> InputRecord:
        """One record by itself; always the same object, which remembers what was read of it."""
        record = self._records[index]
        if record is None:
            record = self._records[index] = InputRecord(
                self.topic,
                self.partition,
                int(self.offsets[index]),
                int(self.timestamps[index]),
                self.keys[index],
                self.values[index],
                self.headers[index] if self.headers is not None else (),
            )
        return record

    def records(self) -> Iterator[InputRecord]:
        return (self.record(index) for index in range(len(self)))

    def between(self, first: int, end: int) -> Chunk | None:
        """The records with offsets from ``first`` up to, not including, ``end``; None if there are none."""
        low, high = (int(i) for i in np.searchsorted(self.offsets, (first, end)))
        if low >= high:
            return None
        if high - low == len(self):
            return self
        cut = slice(low, high)
        return Chunk(
            self.topic,
            self.partition,
            offsets=self.offsets[cut],
            timestamps=self.timestamps[cut],
            keys=self.keys[cut],
            values=self.values[cut],
            headers=self.headers[cut] if self.headers is not None else None,
        )

    def size(self, start: int, end: int) -> int:
        """The bytes of the keys and values of the records ``start`` to ``end`` (not included)."""
        if self._sizes is None:
            fields = zip(self.keys, self.values, strict=True)
            self._sizes = [0, *accumulate([len(key or b"") + len(value or b"") for key, value in fields])]
        return self._sizes[end] - self._sizes[start]


class ChunkSlice:
    """The records ``start`` to ``end`` (not included) of a chunk."""

    __slots__ = ("chunk", "end", "start")

    def __init__(self, chunk: Chunk, start: int, end: int) -> None:
        self.chunk = chunk
        self.start = start
        self.end = end

    def __len__(self) -> int:
        return self.end - self.start


class MergedBatch:
    """Records of several partitions in the order in which they are to be processed.

    ``order`` numbers the records of all ``slices``, one piece after the other. ``oldest`` is the least event time among them,
    where it is known and there is any.
    """

    __slots__ = ("oldest", "order", "slices")

    def __init__(self, slices: Sequence[ChunkSlice], order: Integers, oldest: int | None = None) -> None:
        self.slices = slices
        self.order = order
        self.oldest = oldest

    @classmethod
    def of(cls, records: Iterable[InputRecord]) -> MergedBatch:
        """The same records in the same order."""
        partitions: dict[tuple[str, int], list[tuple[int, InputRecord]]] = {}
        for number, record in enumerate(records):
            partitions.setdefault((record.topic, record.partition), []).append((number, record))
        slices = [
            ChunkSlice(Chunk.of([r for _, r in records_there]), 0, len(records_there))
            for records_there in partitions.values()
        ]
        numbers = [number for records_there in partitions.values() for number, _ in records_there]
        return cls(slices, np.argsort(np.asarray(numbers, dtype=np.int64), kind="stable"))

    def __len__(self) -> int:
        return len(self.order)

    def records(self) -> list[InputRecord]:
        """All of them, in order."""
        ends = np.cumsum([len(chunk_slice) for chunk_slice in self.slices])
        found = np.searchsorted(ends, self.order, side="right")
        records = []
        for number, at in zip(self.order.tolist(), found.tolist(), strict=True):
            chunk_slice = self.slices[at]
            records.append(chunk_slice.chunk.record(chunk_slice.end - int(ends[at]) + number))
        return records
