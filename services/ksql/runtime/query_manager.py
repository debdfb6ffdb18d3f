"""Starts, stops and recovers queries, with their consumers and commits.

A *session* is the time from one restore to the next failure. It starts by fencing the transactional id, which completes or
aborts the open transaction of an earlier process; then it reads the changelog and starts every query where the changelog says. When a
transaction fails, its outcome is not known, so the session ends and the next one begins with the committed state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum

import structlog

from services.ksql.engine.operators.group_store import MissingMembers
from services.ksql.engine.query import OnDrop
from services.ksql.runtime.broker import Broker, BrokerError, Fenced, Producer, TopicPartition, UnknownTopic
from services.ksql.runtime.committer import Committer
from services.ksql.runtime.progress_watch import ProgressWatch
from services.ksql.runtime.query_task import ClientTask, PersistentTask, QuerySpec, QueryState, persistent_task
from services.ksql.runtime.scheduler import Scheduler
from services.ksql.runtime.shared_consumers import SharedConsumers
from services.ksql.runtime.state_log import StateLog, StoredQuery
from services.ksql.runtime.watermark_alignment import align

_log = structlog.get_logger(__name__)

_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 15.0
#: A query that lacks a topic is tried again after so long, each time twice as long: as ksqlDB's ksql.query.retry.backoff.initial.ms and
#: .max.ms say by default.
_FIRST_RETRY_S, _LONGEST_RETRY_S = 15.0, 900.0
#: how long a command waits for a running session
_SESSION_WAIT_S = 30.0
#: a new query's topics are looked for so often, so far apart
_LOOKS, _LOOK_S = 40, 0.25


class EngineState(StrEnum):
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    FENCED = "FENCED"
    STOPPED = "STOPPED"


class QueryManager:
    """Runs persistent queries. All methods belong to one event loop."""

    def __init__(
        self,
        broker: Broker,
        state_log: StateLog,
        *,
        transactional_id: str,
        commit_interval_s: float,
        max_ahead_ms: int | None = None,
        on_drop: OnDrop | None = None,
    ) -> None:
        self._broker = broker
        self.state_log = state_log
        self._transactional_id = transactional_id
        self._interval = commit_interval_s
        self._max_ahead_ms = max_ahead_ms
        self._on_drop = on_drop
        self._wanted: dict[str, QuerySpec] = {}
        self._changing = asyncio.Lock()
        self._up = asyncio.Event()
        self.state = EngineState.STARTING
        self.failures = 0
        self.queries: dict[str, PersistentTask] = {}
        #: queries that cannot be started for want of a topic or of a part of their state, and why: they are tried again
        self.broken: dict[str, str] = {}
        self.committer: Committer | None = None
        #: push queries: they commit nothing
        self.transients: dict[str, ClientTask] = {}
        self._transient_consumers: dict[str, SharedConsumers] = {}
        self.scheduler = Scheduler(lambda: (*self.queries.values(), *self.transients.values()), self._want_commit)
        self.consumers = SharedConsumers(broker, self.scheduler.wake, shared=True)

    async def run(self, initial: Iterable[QuerySpec]) -> None:
        """Runs session after session until cancelled, or until another server takes over."""
        self._wanted = {query.id: query for query in initial}
        backoff = _FIRST_BACKOFF_S
        try:
            while self.state is not EngineState.FENCED:
                try:
                    await self._session()
                except Fenced as error:
                    _log.error("another server has taken over; this one stops", error=str(error))
                    self.state = EngineState.FENCED
                except BrokerError as error:
                    self.failures += 1
                    _log.warning("session failed, restarting from the changelog", error=str(error), wait_s=backoff)
                    backoff = (
                        min(backoff * 2, _LONGEST_BACKOFF_S) if self.state is EngineState.STARTING else _FIRST_BACKOFF_S
                    )
                    self.state = EngineState.STARTING
                    await asyncio.sleep(backoff)
        finally:
            self.state = EngineState.STOPPED if self.state is not EngineState.FENCED else self.state

    async def _session(self) -> None:
        producer = self._broker.producer(self._transactional_id, compressed=(self.state_log.topic,))
        tasks: list[asyncio.Task[None]] = []
        try:
            async with self._changing:
                await producer.start()
                stored = await self.state_log.load()
                await self._clean_changelog(producer, stored)
                committer = Committer(
                    producer,
                    self.state_log,
                    self.queries,
                    interval_s=self._interval,
                    expect=self._expect,
                    committed=self.scheduler.wake,
                )
                self.committer = committer
                self.broken.clear()
                for query in self._wanted.values():
                    try:
                        await self._launch(query, stored.get(query.id))
                    except (UnknownTopic, MissingMembers) as error:
                        _log.error("query cannot run", query=query.id, error=str(error))
                        self.broken[query.id] = str(error)
                self.state = EngineState.RUNNING
                self._up.set()
            tasks = [
                asyncio.create_task(self.scheduler.run(), name="scheduler"),
                asyncio.create_task(committer.run(), name="committer"),
                asyncio.create_task(self._retry_broken(), name="retry broken queries"),
                asyncio.create_task(ProgressWatch(self.queries, self.scheduler.wake).run(), name="progress watch"),
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._up.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            async with self._changing:
                for running in self.queries.values():
                    self.consumers.unsubscribe(running)
                self.queries.clear()
                self.committer = None
            await producer.stop()

    async def _retry_broken(self) -> None:
        """Starts queries whose topics are there again, until cancelled."""
        wait = _FIRST_RETRY_S
        while True:
            await asyncio.sleep(wait)
            try:
                async with self._changing:
                    await self._launch_broken()
            except BrokerError as error:
                _log.warning("queries in error cannot be tried again", error=str(error))
            wait = min(wait * 2, _LONGEST_RETRY_S) if self.broken else _FIRST_RETRY_S

    async def _launch_broken(self) -> None:
        waiting = self._wanted.keys() - self.queries.keys()
        self.broken = {query_id: why for query_id, why in self.broken.items() if query_id in waiting}
        for query in [self._wanted[query_id] for query_id in self.broken]:
            topics = (query.sink.topic, *query.input_topics)
            if any([await self._broker.topic(topic) is None for topic in topics]):
                continue
            try:
                await self._launch(query, (await self.state_log.load()).get(query.id))
            except MissingMembers as error:
                self.broken[query.id] = str(error)
                continue
            del self.broken[query.id]
            _log.info("query runs again", query=query.id)

    async def _clean_changelog(self, producer: Producer, stored: Mapping[str, StoredQuery]) -> None:
        """Deletes the changelog entries of terminated queries, and replaces those in the form of earlier versions."""
        log = self.state_log
        entries = [
            entry
            for query_id, one in stored.items()
            for entry in (log.renewed(query_id, one) if query_id in self._wanted else log.tombstones(query_id, one))
        ]
        if entries:
            await producer.write(entries)

    @asynccontextmanager
    async def _running_session(self) -> AsyncIterator[None]:
        """Waits for a running session and keeps it from being torn down meanwhile.

        Raises:
            BrokerError: there is none, and none comes in time.
        """
        try:
            async with asyncio.timeout(_SESSION_WAIT_S):
                while True:
                    await self._up.wait()
                    await self._changing.acquire()
                    if self._up.is_set():
                        break
                    self._changing.release()
        except TimeoutError:
            raise BrokerError("the engine is not running: it waits for Kafka") from None
        try:
            yield
        finally:
            self._changing.release()

    async def start(self, query: QuerySpec) -> None:
        """Starts a query. One of the same id is replaced: the new one continues with its state and from its positions."""
        async with self._running_session():
            stored = None
            if query.id in self.queries:
                await self._halt(query.id)
                stored = (await self.state_log.load()).get(query.id)
            self._wanted[query.id] = query
            await self._launch_new(query, stored)

    async def _launch_new(self, query: QuerySpec, stored: StoredQuery | None) -> None:
        """Brokers learn of a topic that was just created one after the other, and any of them may be asked. A query whose topic is not
        seen for long is in error, and is tried again as such."""
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(_LOOK_S)
            try:
                await self._launch(query, stored)
            except UnknownTopic as error:
                self.broken[query.id] = str(error)
            else:
                self.broken.pop(query.id, None)
                return
        _log.error("query cannot run", query=query.id, error=self.broken[query.id])

    async def terminate(self, query_id: str) -> None:
        """Commits what the query has done, and ends it. Its entries in the changelog go at the next session."""
        async with self._running_session():
            self._wanted.pop(query_id, None)
            if query_id in self.queries:
                await self._halt(query_id)

    async def pause(self, query_id: str) -> None:
        """Stops reading; state and positions stay."""
        async with self._running_session():
            self._wanted[query_id] = replace(self._wanted[query_id], paused=True)
            running = self.queries.get(query_id)  # None: it cannot run anyway, for want of a topic
            if running is not None and running.state is QueryState.RUNNING:
                running.state = QueryState.PAUSED
                self.consumers.unsubscribe(running)
                # those that are aligned behind it need not wait for it any more
                self.scheduler.wake()
                # what it shows while it is paused must be what a restart would show
                await self.commit()

    async def resume(self, query_id: str) -> None:
        """Continues where ``pause`` stopped."""
        async with self._running_session():
            self._wanted[query_id] = replace(self._wanted[query_id], paused=False)
            running = self.queries.get(query_id)
            if running is not None and running.state is QueryState.PAUSED:
                running.state = QueryState.RUNNING
                self.consumers.subscribe(running, running.fetched)
                self.scheduler.wake()

    def open_transient(self, query: ClientTask) -> None:
        """Runs a push query until ``close_transient``. Its consumers are its own: a slow client must not delay other queries."""
        self.transients[query.id] = query
        consumers = self._transient_consumers[query.id] = SharedConsumers(self._broker, self.scheduler.wake)
        consumers.subscribe(query, query.fetched)
        self.scheduler.wake()

    async def close_transient(self, query_id: str) -> bool:
        """Ends a push query; False if there is none of this id."""
        query = self.transients.pop(query_id, None)
        if query is None:
            return False
        query.output.finish()
        await self._transient_consumers.pop(query_id).aclose()
        return True

    def _expect(self, ends: Mapping[TopicPartition, int]) -> None:
        for consumers in (self.consumers, *self._transient_consumers.values()):
            consumers.expect(ends)

    @property
    def transactions(self) -> int:
        """Transactions of this session."""
        return self.committer.transactions if self.committer else 0

    @property
    def commit_seconds(self) -> float:
        """How long the last transaction took."""
        return self.committer.last_duration_s if self.committer else 0.0

    async def commit(self) -> None:
        """Commits pending results now, without waiting for the interval."""
        if self.committer is not None:
            await self.committer.commit()

    async def aclose(self) -> None:
        """After ``run`` was cancelled: ends what reads."""
        for query_id in list(self.transients):
            await self.close_transient(query_id)
        await self.consumers.aclose()

    async def _halt(self, query_id: str) -> None:
        running = self.queries[query_id]
        self.consumers.unsubscribe(running)
        await self.commit()
        self.queries.pop(query_id, None)
        align(self.queries, self._wanted, self._interval)
        self.scheduler.wake()

    async def _launch(self, query: QuerySpec, stored: StoredQuery | None) -> None:
        sink = await self._broker.topic(query.sink.topic)
        if sink is None:
            raise UnknownTopic(f"the sink topic {query.sink.topic} of {query.id} is gone")
        running = await persistent_task(
            query,
            stored,
            self._broker,
            sink.partitions,
            max_ahead_ms=self._max_ahead_ms,
            on_drop=self._on_drop,
        )
        self.queries[query.id] = running
        align(self.queries, self._wanted, self._interval)
        if query.paused:
            running.state = QueryState.PAUSED
        else:
            self.consumers.subscribe(running, running.fetched)
        self._want_commit()
        self.scheduler.wake()

    def _want_commit(self) -> None:
        if self.committer is not None:
            self.committer.want()
