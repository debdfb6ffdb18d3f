"""The generator's state: stopped, running, paused, stopping. One run at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import httpx
import structlog

from services.generator.behaviour import Crowd
from services.generator.kafka import Broker
from services.generator.population import fetch_user_ids
from services.generator.profiles import Constant, RateProfile
from services.generator.run import Run
from services.generator.run_builder import RunBuilder
from services.generator.schemas import StartRequest, State, Status
from services.generator.settings import Settings
from services.generator.status import status_of
from shared.errors import Conflict, PagePulseError
from shared.event_log import EventLog
from shared.tasks import TaskSet

_log = structlog.get_logger(__name__)

_STOPPED_HINT: Final = "The generator is stopped: start it with POST /generator/start."


class Controller:
    """What the API steers."""

    def __init__(
        self,
        settings: Settings,
        seeder: httpx.AsyncClient,
        broker: Broker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._seeder = seeder
        self._broker = broker
        self._clock = clock
        self._tasks = TaskSet()
        self._changing = asyncio.Lock()
        self._state = State.STOPPED
        self._ended = asyncio.Event()
        self._ended.set()
        self.run: Run | None = None
        #: starts, stops and changes, for marks on a time axis
        self.changes = EventLog()

    @property
    def state(self) -> State:
        return self._state

    def status(self) -> Status:
        return status_of(self._state, self.run)

    async def start(self, request: StartRequest) -> Status:
        """Starts a run.

        Raises:
            Conflict: one is there already (``current_status`` has its state), there are no users, or the topics are missing.
            Unavailable: the seeder or Kafka does not answer.
        """
        async with self._changing:
            if self._state is not State.STOPPED:
                raise Conflict(
                    f"The generator is {self._state}: change its rate with PUT /generator/rate, or stop it first.",
                    current_status=self.status().model_dump(mode="json"),
                )
            builder = RunBuilder(self._settings, self._seeder, self._broker, self._clock, request)
            run = await (request.profile or Constant(kind="constant")).build(builder)
            self.run = run
            self._state = State.RUNNING
            self._ended.clear()
            run.begin()
            self._tasks.start(self._drive(run), "run")
            if run.crowd is not None:
                self._tasks.start(self._refresh(run, run.crowd, request), "population")
            _log.info("started", rate=request.rate, users=run.population)
            pace = f"{_rate(request.rate)}, profile {run.profile.kind}, {run.population:,} users."
            self.changes.add("start", f"Started, {_rate(request.rate)}", f"Generator started: {pace}")
            return self.status()

    async def stop(self) -> Status:
        """Ends the run, waits for what is in flight, and answers the final counts. While stopped: the last ones."""
        if self.run is not None and self._state is not State.STOPPED:
            self.run.stop()
            await self._ended.wait()
        return self.status()

    def pause(self) -> Status:
        """Raises ``Conflict`` if nothing runs; a paused run stays paused."""
        run = self._running()
        if self._state is State.RUNNING:
            run.pause()
            self._state = State.PAUSED
            self.changes.add("pause", "Paused", "Generator paused.")
        return self.status()

    def resume(self) -> Status:
        run = self._running()
        if self._state is State.PAUSED:
            run.resume()
            self._state = State.RUNNING
            self.changes.add("resume", "Resumed", "Generator resumed.")
        return self.status()

    def set_rate(self, rate: float) -> Status:
        """Raises ``Conflict`` if nothing runs, or a recording sets the pace."""
        self._running().set_rate(rate)
        self.changes.add("rate", f"Rate {_rate(rate)}", f"Generator's rate changed to {_rate(rate)}.")
        return self.status()

    def set_profile(self, profile: RateProfile) -> Status:
        """Raises ``Conflict`` if nothing runs, or a recording sets the pace."""
        self._running().set_profile(profile)
        self.changes.add("profile", f"Profile {profile.kind}", f"Generator's profile changed to {profile.kind}.")
        return self.status()

    async def aclose(self) -> None:
        """Flushes what is in flight, then ends."""
        async with self._changing:
            await self.stop()
        await self._tasks.aclose()

    def _running(self) -> Run:
        if self.run is None or self._state not in (State.RUNNING, State.PAUSED):
            raise Conflict(_STOPPED_HINT if self._state is State.STOPPED else "The generator is stopping.")
        return self.run

    async def _drive(self, run: Run) -> None:
        try:
            await run.work()
        except Exception as error:
            run.statistics.last_error = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._state = State.STOPPING
            await run.publisher.flush()
            await run.publisher.aclose()
            run.statistics.end()
            self._state = State.STOPPED
            self._ended.set()
            _log.info("stopped", sent=run.statistics.sent, acknowledged=run.statistics.acknowledged)
            counts = f"{run.statistics.acknowledged:,} of {run.statistics.sent:,} events acknowledged"
            reason = f": {run.statistics.last_error}" if run.statistics.last_error else ""
            self.changes.add("stop", "Stopped", f"Generator stopped, {counts}{reason}.")

    async def _refresh(self, run: Run, crowd: Crowd, request: StartRequest) -> None:
        """Follows changes of the users; if the seeder is unavailable the known ones stay."""
        while run is self.run and self._state is not State.STOPPED:
            try:
                async with asyncio.timeout(self._settings.population_refresh.total_seconds()):
                    await self._ended.wait()
            except TimeoutError:
                pass
            else:
                return
            try:
                ids = await fetch_user_ids(self._seeder, request.users)
            except PagePulseError as error:
                _log.warning("users not refreshed", reason=error.detail)
                continue
            crowd.replace_population(ids)
            run.population = len(ids)


def _rate(rate: float) -> str:
    return f"{rate:,.10g} events/s" if rate else "full speed"
