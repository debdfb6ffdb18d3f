"""A running query: records in, records out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.ksql.engine.batching import NEVER, BatchCutter
from services.ksql.engine.build import Builder, internal_key_encoder
from services.ksql.engine.chunk import Chunk, Integers, MergedBatch
from services.ksql.engine.operators.aggregate import AggregateNode
from services.ksql.engine.operators.base import Context, Entry, Node, Stats, topology
from services.ksql.engine.operators.rows import Filter, PartitionBy, Project
from services.ksql.engine.operators.sink import Poll, Sink
from services.ksql.engine.operators.source import Source
from services.ksql.engine.records import InputRecord, Output, OutputRecord, TableRow, flattened
from services.ksql.engine.state import Change
from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import SourceKind
from shared.lazy_numpy import np

#: a record that is dropped, and the cause
OnDrop = Callable[[InputRecord, str], None]


class Query:
    """One running plan. The result depends on the order of the records only, never on how they are cut into batches.

    Args:
        plan: what to do.
        partitions: how many partitions the group keys spread over; each has its own stream time.
        sink_partitions: how many partitions the sink topic has.
        cached: table results wait for ``flush``, which gives the newest state of each key.
        max_ahead_ms: records whose event time is further than this ahead of the clock are dropped; None = never. The clock is the
            record's own timestamp, which every reader of the topic sees; where that is the event time, it is ``now_ms``.
        on_drop: is told of each record that a source cannot use, and of the cause.
        tracked: whether ``changes`` notes what the state was; by default for queries that have a sink.
        properties: the server's settings that functions read.
    """

    def __init__(
        self,
        plan: QueryPlan,
        *,
        partitions: int = 1,
        sink_partitions: int = 1,
        cached: bool = False,
        max_ahead_ms: int | None = None,
        on_drop: OnDrop | None = None,
        tracked: bool | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.plan = plan
        has_sink = plan.sink is not None
        is_table = plan.root.kind is SourceKind.TABLE
        self._context = Context(
            partitions=partitions,
            tracked=has_sink if tracked is None else tracked,
            encode_key=internal_key_encoder(plan),
            properties=properties or {},
        )
        builder = Builder(self._context, plan)
        self._root = builder.build(plan.root)
        self._sink: Sink | None = None
        self._poll: Poll | None = None
        end: Node
        if plan.sink is not None:
            # PARTITION BY of several NULLs gives a key of NULLs, where a record without a key keeps none
            keep_nulls = any(isinstance(node, PartitionBy) for node in builder.nodes)
            end = self._sink = Sink(
                self._context,
                self._root,
                plan.sink,
                partitions=sink_partitions,
                cached=cached and is_table,
                keep_nulls=keep_nulls,
            )
        else:
            end = self._poll = Poll(self._context, self._root, plan.limit)
        self._root.down = end
        self._end = end
        if self._sink is not None and cached and is_table:
            _enable_cache(self._root)
        self._nodes = builder.nodes
        self._max_ahead = max_ahead_ms
        self._on_drop = on_drop
        self._by_topic: dict[str, list[Source]] = {}
        for source in builder.sources:
            self._by_topic.setdefault(source.topic, []).append(source)
        self._first = {topic: sources[0] for topic, sources in self._by_topic.items()}
        #: topics of one plain stream: rows of these can be passed on together
        self._streams = {topic: s[0] for topic, s in self._by_topic.items() if len(s) == 1 and s[0].is_plain}
        self._stores = {store.name: store for node in builder.nodes for store in node.stores()}
        self._restores = {name: take for store in self._stores.values() for name, take in store.restores().items()}

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that the query reads."""
        return tuple(self._by_topic)

    @property
    def stats(self) -> Stats:
        """What was consumed, produced and dropped so far."""
        return self._context.stats

    @property
    def stream_time(self) -> int:
        """The greatest event time seen, in milliseconds; -1 before the first."""
        return self._context.stream_time

    def event_time(self, record: InputRecord) -> int | None:
        """The event time of a record, by which partitions are merged; None for records that are dropped."""
        memo = record.memo
        source = self._first.get(record.topic)
        if source is None:
            return None
        if source.uses_record_time:
            return record.timestamp if record.timestamp >= 0 else None
        parts: Any = memo[1] if memo is not None and memo[0] is source.data_source else source.read(record)
        return None if isinstance(parts, str) else parts[2]

    def event_times(self, chunk: Chunk) -> Integers:
        """The event times of a chunk's records; -1 for those that are dropped."""
        source = self._first.get(chunk.topic)
        if source is None:
            return np.full(len(chunk), -1, dtype=np.int64)
        if source.uses_record_time:
            return chunk.timestamps
        if source.is_plain and len(chunk) >= BatchCutter.few:
            return source.reader.read(chunk).times
        times = (self.event_time(record) for record in chunk.records())
        return np.fromiter((-1 if t is None else t for t in times), dtype=np.int64, count=len(chunk))

    def process(self, record: InputRecord, now_ms: int | None = None) -> list[OutputRecord]:
        """Processes one record; gives the records for the sink. ``now_ms`` is the wall clock; without it no event time is too far ahead."""
        self._process(record, now_ms)
        return self._take()

    def process_batch(self, records: Iterable[InputRecord], now_ms: int | None = None) -> list[OutputRecord]:
        """The same for many records, in order."""
        for record in records:
            self._process(record, now_ms)
        return self._take()

    def process_merged(self, merged: MergedBatch, now_ms: int | None = None) -> Sequence[Output]:
        """The same for records that were fetched in chunks: column by column where that is possible."""
        if len(merged) < BatchCutter.few:
            return self.process_batch(merged.records(), now_ms)
        for part in BatchCutter(self._streams, self._max_ahead, now_ms).parts(merged):
            if isinstance(part, MergedBatch):
                for record in part.records():
                    self._process(record, now_ms)
                continue
            source, batch = part
            context = self._context
            context.stats.consumed += len(batch)
            context.stream_time = max(context.stream_time, int(batch.times.max()))
            source.down.columns(batch)
        return self._take_runs()

    def _process(self, record: InputRecord, now_ms: int | None) -> None:
        context = self._context
        context.stats.consumed += 1
        for source in self._by_topic.get(record.topic, ()):
            parts = source.read(record)
            if isinstance(parts, str):
                self._drop(source, record, parts)
                continue
            t = parts[2]
            if t > self._latest(source, record, now_ms):
                self._drop(source, record, "event_time_ahead")
                continue
            if t > context.stream_time:  # noqa: PLR1730 - a comparison is cheaper than max
                context.stream_time = t
            source.accept(record, parts)

    def _drop(self, source: Source, record: InputRecord, cause: str) -> None:
        self._context.stats.drop(source.name, cause)
        if self._on_drop is not None:
            self._on_drop(record, cause)

    def _latest(self, source: Source, record: InputRecord, now_ms: int | None) -> int:
        """The latest event time that the record may have."""
        if self._max_ahead is None or now_ms is None:
            return NEVER
        return self._max_ahead + (now_ms if source.uses_record_time else record.timestamp)

    def _take(self) -> list[OutputRecord]:
        return flattened(self._take_runs())

    def _take_runs(self) -> list[Output]:
        out = self._context.out
        if out:
            self._context.out = []
        return out

    def flush(self) -> list[OutputRecord]:
        """The newest state of each key that changed since the last flush (with ``cached`` only)."""
        for node in self._nodes:
            node.flush()
        self._end.flush()
        return self._take()

    def poll_rows(self) -> list[list[Any]]:
        """The rows of a transient query since the last call, each its schema's value columns in order."""
        if self._poll is None:
            return []
        rows, self._poll.waiting = self._poll.waiting, []
        return rows

    def changes(self) -> list[Change]:
        """(store, key, value) of all state that was written since the last call; None deletes."""
        for node in self._nodes:
            node.sync_dirty()
        return [change for store in self._stores.values() for change in store.changes()]

    def restore(self, store: str, key: bytes, value: bytes | None) -> None:
        """Takes back an entry of ``changes``. An unknown store is ignored: it belongs to an older form of the plan."""
        if store in self._restores:
            self._restores[store](key, value)

    def restored(self) -> None:
        """All entries were taken back.

        Raises:
            MissingMembers: they do not belong together.
        """
        for store in self._stores.values():
            store.restored()

    def lookup(self, key: Sequence[Any]) -> list[TableRow]:
        """The present rows of a key: one, or one for each window in order."""
        return [self._row(entry) for entry in self._root.find(tuple(key))]

    def scan(self) -> Iterator[TableRow]:
        """All present rows."""
        return (self._row(entry) for entry in self._root.entries())

    def _row(self, entry: Entry) -> TableRow:
        key, window, row, t = entry
        return TableRow(key, window, row[self._root.layout.keys :], t)

    def describe(self) -> str:
        """The operators as text, for EXPLAIN."""
        return topology(self._end)


def _enable_cache(root: Node) -> None:
    """Lets the cache work where the aggregation is, if only operators without a state lie between it and the sink."""
    node = root
    while isinstance(node, Project | Filter):
        node = node.inputs[0]
    if isinstance(node, AggregateNode):
        node.enable_cache()
