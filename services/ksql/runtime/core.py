"""All parts of the runtime put together: what the server talks to, on the runtime's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from services.ksql.runtime.broker import Broker, BrokerError
from services.ksql.runtime.command_log import CommandLog
from services.ksql.runtime.command_runner import CommandRunner
from services.ksql.runtime.query_manager import EngineState, QueryManager
from services.ksql.runtime.rejected import RejectedRecords
from services.ksql.runtime.state_log import StateLog
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class CoreOptions:
    """See ``settings.Settings`` for what they mean."""

    service_id: str
    command_topic: str
    state_topic: str
    commit_interval: timedelta
    max_event_time_ahead: timedelta | None
    default_partitions: int
    push_backlog: int
    command_timeout: timedelta
    rejected_topic: str = ""


class Core:
    """Broker, command log, command runner and query manager of one server."""

    def __init__(self, broker: Broker, options: CoreOptions) -> None:
        ahead = options.max_event_time_ahead
        self.options = options
        self.broker = broker
        self.command_log = CommandLog(broker, options.command_topic, f"{options.command_topic}-writer")
        self.rejected: RejectedRecords | None = None
        if options.rejected_topic:
            self.rejected = RejectedRecords(broker, options.rejected_topic, f"{options.state_topic}-rejected")
        self.query_manager = QueryManager(
            broker,
            StateLog(broker, options.state_topic),
            transactional_id=f"{options.state_topic}-writer",
            commit_interval_s=options.commit_interval.total_seconds(),
            max_ahead_ms=None if ahead is None else int(ahead.total_seconds() * 1000),
            on_drop=None if self.rejected is None else self.rejected.note,
        )
        self.command_runner = CommandRunner(broker, self.command_log, self.query_manager)
        self.cluster_id = ""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Connects (for as long as it takes), restores, and runs until cancelled."""
        tasks = TaskSet()
        try:
            await self._connect()
            specs = await self.command_runner.restore()
            self.ready.set()
            if self.rejected is not None:
                tasks.start(self.rejected.run(), "write rejected records")
            await self.query_manager.run(specs)
        finally:
            self.ready.clear()
            await tasks.aclose()
            await self.query_manager.aclose()
            await self.command_log.close()
            await self.broker.stop()

    @property
    def is_healthy(self) -> bool:
        """Whether statements can be carried out and queries run."""
        return self.ready.is_set() and self.query_manager.state is EngineState.RUNNING

    async def _connect(self) -> None:
        while True:
            try:
                await self.broker.start()
                self.cluster_id = await self.broker.cluster_id()
                await self.query_manager.state_log.ensure()
            except BrokerError as error:
                _log.warning("waiting for Kafka", error=str(error))
                await self.broker.stop()
                await asyncio.sleep(_RETRY_S)
            else:
                return


CoreFactory = Callable[[], Core]
