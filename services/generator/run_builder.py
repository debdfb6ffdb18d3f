"""Prepares a run: its users or its recording, its pacer, and its connection to Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import numpy as np

from services.generator import replay
from services.generator.behaviour import Crowd, Faults
from services.generator.kafka import Broker
from services.generator.pacing import Pacer, Timetable
from services.generator.population import Population, fetch_user_ids, user_names
from services.generator.profiles import RateProfile, Replay
from services.generator.publisher import Publisher
from services.generator.run import RateControl, Run
from services.generator.schemas import StartRequest
from services.generator.settings import Settings
from services.generator.source import EventSource
from services.generator.statistics import Statistics
from services.generator.waves import Waves, natural_waves


@dataclass(slots=True)
class _Streams:
    """Independent random numbers for each purpose, so that one more draw here changes nothing there."""

    people: np.random.Generator
    behaviour: np.random.Generator
    waves: np.random.Generator
    gaps: np.random.Generator

    @classmethod
    def of(cls, seed: int | None) -> _Streams:
        return cls(*np.random.default_rng(seed).spawn(4))


@dataclass(frozen=True, slots=True)
class RunBuilder:
    """Builds the run of one request (see ``profiles.RunBuilder``)."""

    settings: Settings
    seeder: httpx.AsyncClient
    broker: Broker
    clock: Callable[[], float]
    request: StartRequest

    async def simulated(self, profile: RateProfile) -> Run:
        """Simulated users at the rate of the profile. With a seed, the same users browse to the end.

        Raises:
            Conflict: there are no users, or the topics are missing.
            Unavailable: the seeder or Kafka does not answer.
        """
        request = self.request
        streams = _Streams.of(request.seed)
        ids = await fetch_user_ids(self.seeder, request.users)
        await asyncio.to_thread(user_names)
        statistics, publisher = await self._connect()
        natural = natural_waves(self.settings.session_gap) if request.waves else None
        waves = Waves(request.sources, streams.waves, profile.waves() or natural)
        control = RateControl(request.rate, profile, waves, streams.gaps, self.clock())
        crowd = Crowd(
            population=Population(ids, skew=request.skew, rng=streams.people),
            waves=waves,
            devices=request.devices,
            partitions=publisher.partitions,
            rng=streams.behaviour,
            faults=Faults(
                late=request.late_fraction,
                late_max_s=request.late_max_s,
                duplicate=request.duplicate_fraction,
                malformed=request.malformed_fraction,
            ),
            max_active=self.settings.max_active_sessions,
        )
        run = self._run(profile, control.bucket, crowd, publisher, statistics)
        run.control, run.population, run.crowd = control, len(ids), crowd if request.seed is None else None
        return run

    async def replayed(self, profile: Replay) -> Run:
        """The events of a recording.

        Raises:
            NotFound: no such recording.
            Unprocessable: it is too large, empty, or has a line that is no event.
            Conflict, Unavailable: as above.
        """
        recording = await replay.load(self.settings.recordings, profile)
        statistics, publisher = await self._connect()
        pacer = Timetable(recording.times, self.clock(), speed=profile.speed, loop=profile.loop)
        return self._run(profile, pacer, replay.Player(recording, publisher.partitions), publisher, statistics)

    def _run(
        self,
        profile: RateProfile | Replay,
        pacer: Pacer,
        source: EventSource,
        publisher: Publisher,
        statistics: Statistics,
    ) -> Run:
        return Run(
            pacer=pacer,
            profile=profile,
            source=source,
            publisher=publisher,
            statistics=statistics,
            duration_s=self.request.duration_s,
            max_events=self.request.max_events,
            clock=self.clock,
        )

    async def _connect(self) -> tuple[Statistics, Publisher]:
        statistics = Statistics(self.clock)
        publisher = Publisher(self.settings, self.broker, statistics)
        await publisher.start()
        return statistics, publisher
