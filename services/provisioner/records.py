"""Browses the records of any topic, bounded in records read, in bytes answered and in time.

Records are read without a consumer group, committed ones only, and decoded as in ``decoding``. A filter does not make the answer wrong,
only incomplete: ``complete`` says whether everything between the start and the end of the topic was looked at.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from aiokafka import ConsumerRecord

from services.provisioner.clients.kafka import KafkaClient
from services.provisioner.decoding import KeyDecoder, decode_value
from shared.errors import NotFound, Unprocessable

#: records that one request may read, over all partitions
SCAN: Final = 20_000
#: of a filter-less look at the end; a transaction's marker takes an offset too, so look further back than the rows asked for
_PER_ROW: Final = 11
#: bytes of a value that are shown; one record may be a megabyte
_SHOWN: Final = 8_192
#: one request reads no longer than this; what was found until then is the answer
_WITHIN: Final = timedelta(seconds=6)
_STALL: Final = timedelta(seconds=5)


Start = Literal["newest", "oldest", "time", "offset"]


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. ``at`` is a time in epoch milliseconds or an offset, as ``start`` says."""

    topic: str
    start: Start = "newest"
    at: int | None = None
    partition: int | None = None
    limit: int = 50
    key: str | None = None
    contains: str | None = None

    def __post_init__(self) -> None:
        if self.start in {"time", "offset"} and self.at is None:
            raise Unprocessable(f"at: from={self.start} needs at=, a time in epoch milliseconds or an offset")
        if self.start == "offset" and self.partition is None:
            raise Unprocessable("partition: offsets count within a partition: name it with partition=")

    @property
    def filters(self) -> bool:
        return self.key is not None or bool(self.contains)


@dataclass(frozen=True, slots=True)
class Record:
    """One record for people. ``timestamp`` is the record's own, epoch milliseconds; ``size`` the bytes of key and value."""

    partition: int
    offset: int
    timestamp: int
    key: str | int | None
    window_start: int | None
    window_end: int | None
    headers: list[dict[str, str | None]]
    value: Any
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """``partitions``: begin and end offset of each; ``records`` oldest first; ``scanned``: records that were read."""

    topic: str
    partitions: dict[int, tuple[int, int]]
    records: list[Record] = field(default_factory=list)
    scanned: int = 0
    complete: bool = True


async def browse(kafka: KafkaClient, decoders: Mapping[str, KeyDecoder], query: Query) -> Page:
    """The records that ``query`` asks for.

    Raises:
        NotFound: there is no such topic or partition.
        PagePulseError: Kafka does not answer.
    """
    ends = (await kafka.end_offsets([query.topic])).get(query.topic)
    if ends is None:
        raise NotFound(f"There is no topic {query.topic}: GET /provisioner/status names those of the pipeline.")
    begins = await kafka.begin_offsets(query.topic)
    bounds = {p: (begins.get(p, 0), end) for p, end in sorted(ends.items())}
    if query.partition is not None and query.partition not in bounds:
        raise NotFound(f"{query.topic} has no partition {query.partition}, only 0 to {max(bounds, default=0)}.")
    chosen = {p: bound for p, bound in bounds.items() if query.partition in (None, p)}
    starts, stops = await _stretch(kafka, query, chosen)
    found, scanned, in_time = await _scan(kafka, decoders.get(query.topic, KeyDecoder()), query, starts, stops)
    newest = query.start == "newest"
    records = found[-query.limit :] if newest else found[: query.limit]
    # without a filter, the newest (or first) records are those between start and limit: nothing was left out
    whole = starts == {p: begin for p, (begin, _) in chosen.items()} if newest else stops == _ends(chosen)
    complete = in_time and (whole or len(records) >= query.limit)
    return Page(query.topic, bounds, records, scanned, complete)


async def _stretch(
    kafka: KafkaClient, query: Query, chosen: Mapping[int, tuple[int, int]]
) -> tuple[dict[int, int], dict[int, int]]:
    """From and to which offset each partition is read."""
    each = max(1, SCAN // max(1, len(chosen)))
    if query.start == "newest":
        back = each if query.filters else min(each, query.limit * _PER_ROW)
        return {p: max(begin, end - back) for p, (begin, end) in chosen.items()}, _ends(chosen)
    starts = {p: begin for p, (begin, _) in chosen.items()}
    if query.start == "offset":
        starts = {p: min(max(begin, query.at or 0), end) for p, (begin, end) in chosen.items()}
    elif query.start == "time":
        starts = await offsets_at(kafka, query.topic, query.at or 0, chosen)
    return starts, {p: min(end, starts[p] + each) for p, (_, end) in chosen.items()}


async def offsets_at(
    kafka: KafkaClient, topic: str, at_ms: int, chosen: Mapping[int, tuple[int, int]]
) -> dict[int, int]:
    """By partition: the first record that is not older than ``at_ms``, or the end."""
    by_partition = await kafka.offsets_for_time(topic, at_ms, chosen.keys())
    return {p: min(max(by_partition.get(p, end), begin), end) for p, (begin, end) in chosen.items()}


async def _scan(
    kafka: KafkaClient, decoder: KeyDecoder, query: Query, starts: Mapping[int, int], stops: Mapping[int, int]
) -> tuple[list[Record], int, bool]:
    """What matches, by time; how many records were read; and whether the time was enough."""
    kept: dict[int, deque[Record]] = {}
    scanned, in_time = 0, True
    newest = query.start == "newest"
    try:
        async with (
            asyncio.timeout(_WITHIN.total_seconds()),
            aclosing(_read(kafka, query.topic, starts, stops)) as batches,
        ):
            async for batch in batches:
                scanned += len(batch)
                for record in batch:
                    partition = kept.setdefault(record.partition, deque(maxlen=query.limit if newest else None))
                    if newest or len(partition) < query.limit:
                        shown = _record(record, decoder)
                        if _matches(record, shown, query):
                            partition.append(shown)
                await asyncio.sleep(0)
                if not newest and all(
                    len(kept.get(p, ())) >= query.limit for p, end in stops.items() if starts[p] < end
                ):
                    break
    except TimeoutError:
        in_time = False
    found = [record for partition in kept.values() for record in partition]
    return sorted(found, key=lambda r: (r.timestamp, r.partition, r.offset)), scanned, in_time


async def _read(kafka: KafkaClient, topic: str, starts: Mapping[int, int], stops: Mapping[int, int]) -> Any:
    async for batch in kafka.read(topic, starts, stops, _STALL):
        yield batch


def _ends(chosen: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    return {p: end for p, (_, end) in chosen.items()}


def _matches(raw: ConsumerRecord[bytes, bytes], shown: Record, query: Query) -> bool:
    if query.key is not None and str(shown.key) != query.key:
        return False
    if not query.contains:
        return True
    wanted = query.contains.casefold()
    texts: Sequence[str] = (str(shown.key), (raw.value or b"").decode(errors="replace"))
    return any(wanted in text.casefold() for text in texts)


def _record(raw: ConsumerRecord[bytes, bytes], decoder: KeyDecoder) -> Record:
    try:
        key = decoder.decode(raw.key)
        name, start, end = key.key, key.window_start, key.window_end
    except ValueError:
        name, start, end = f"undecodable: {(raw.key or b'')[:100].hex(' ')}", None, None
    value = raw.value
    long = value is not None and len(value) > _SHOWN
    return Record(
        partition=raw.partition,
        offset=raw.offset,
        timestamp=raw.timestamp,
        key=name,
        window_start=start,
        window_end=end,
        headers=[
            {"name": header, "value": None if text is None else text[:_SHOWN].decode(errors="replace")}
            for header, text in raw.headers or ()
        ],
        value={"cut": (value or b"")[:_SHOWN].decode(errors="replace")} if long else decode_value(value),
        size=len(raw.key or b"") + len(value or b""),
    )
