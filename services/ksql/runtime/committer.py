"""Commits: outputs, state and input positions of all queries in one Kafka transaction.

While a transaction is open the queries continue; their results belong to the next one. When a transaction
fails its outcome is unknown, so all queries restart from the changelog (``query_manager.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic, time

from services.ksql.engine.records import Output, OutputBatch, OutputRecord
from services.ksql.runtime.broker import LARGEST_RECORD, BrokerError, OffsetRange, Producer, TopicPartition
from services.ksql.runtime.chaining import Chaining
from services.ksql.runtime.query_task import PersistentTask, QueryState
from services.ksql.runtime.scheduler import MAX_UNCOMMITTED
from services.ksql.runtime.state_log import StateLog

#: with this many records waiting a commit comes early, after this share of the interval at the earliest, so that the scheduler need not
#: wait
_MUCH = MAX_UNCOMMITTED // 2
_SHORTEST = 0.2
#: Kafka refuses records more than an hour ahead of its clock (message.timestamp.after.max.ms); a little less, as clocks differ
_AHEAD_MS = 3_590_000


class Committer:
    """Writes at most once per interval, and only if some query has something to commit. With many records waiting it writes earlier."""

    def __init__(
        self,
        producer: Producer,
        state_log: StateLog,
        queries: Mapping[str, PersistentTask],
        *,
        interval_s: float,
        expect: Callable[[Mapping[TopicPartition, int]], None],
        committed: Callable[[], None],
    ) -> None:
        self._producer = producer
        self._state_log = state_log
        self._queries = queries
        self._interval = interval_s
        #: called with the end of each partition once the records are written but not readable yet
        self._expect = expect
        #: called when all of it can be read, or there was nothing to write
        self._committed = committed
        self._wanted = asyncio.Event()
        self._much = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failure: BrokerError | None = None
        self.transactions = 0
        self.records = 0
        self.last_duration_s = 0.0

    def want(self) -> None:
        """Something is there to commit."""
        self._wanted.set()
        if sum(query.uncommitted for query in self._queries.values()) >= _MUCH:
            self._much.set()

    async def run(self) -> None:
        """Commits until cancelled.

        Raises:
            BrokerError: a transaction failed.
        """
        last = -self._interval
        while True:
            await self._wanted.wait()
            # what was processed right after a commit is readable one interval later: a transaction takes its time too
            ahead = min(self.last_duration_s, self._interval / 8)
            await asyncio.sleep(max(0.0, last + self._interval * _SHORTEST - monotonic()))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, last + self._interval - ahead - monotonic())):
                    await self._much.wait()
            self._much.clear()
            self._wanted.clear()
            if self._failure is not None:
                raise self._failure
            last = monotonic()
            await self.commit()

    async def commit(self, also: Iterable[OutputRecord] = ()) -> None:
        """One transaction with everything pending, and ``also``; none at all if there is nothing."""
        async with self._writing:
            queries = list(self._queries.values())
            batch: list[Output] = [*self._collect(queries), *also]
            chaining = Chaining(queries)

            async def follow(spans: Mapping[TopicPartition, OffsetRange]) -> Sequence[Output]:
                nonlocal batch
                self.records += sum(len(one.keys) if isinstance(one, OutputBatch) else 1 for one in batch)
                served = await chaining(batch, spans)
                self._expect({tp: span.end for tp, span in spans.items()})
                batch = list(self._collect(served))
                return batch

            if batch:
                begun = monotonic()
                try:
                    await self._producer.write(batch, follow)
                except BrokerError as error:
                    self._failure = error
                    self.want()
                    raise
                self.transactions += 1
                self.last_duration_s = monotonic() - begun
            for query in queries:
                query.mark_committed()
            self._committed()

    def _writable(self, query: PersistentTask, outputs: Iterable[Output]) -> list[Output]:
        """The outputs that the broker takes. One refused record would fail every transaction from now on, so what the broker
        refuses is left out: a timestamp too far ahead is dropped and counted, a record too large fails its query."""
        latest = int(time() * 1000) + _AHEAD_MS
        writable: list[Output] = []
        for output in outputs:
            if (
                isinstance(output, OutputBatch)
                and output.largest <= LARGEST_RECORD
                and max(output.timestamps) <= latest
            ):
                writable.append(output)
                continue
            for record in output.records() if isinstance(output, OutputBatch) else (output,):
                if record.timestamp > latest:
                    query.query.stats.drop("sink", "timestamp_ahead")
                elif len(record.key or b"") + len(record.value or b"") > LARGEST_RECORD:
                    query.fail(f"a record for {record.topic} is larger than {LARGEST_RECORD} bytes")
                    return writable
                else:
                    writable.append(record)
        return writable

    def _collect(self, queries: Iterable[PersistentTask]) -> Iterator[Output]:
        for query in queries:
            if not query.dirty:
                continue
            pending = query.drain()
            if pending is None:
                continue
            outputs = self._writable(query, pending.outputs)
            if query.state is QueryState.ERROR:
                continue
            yield from outputs
            for store, key, value in pending.changes:
                yield self._state_log.entry(query.id, store, key, value)
            yield from self._state_log.positions(query.id, pending.positions)
