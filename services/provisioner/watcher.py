"""Watches the pipeline: what its resources were when their servers last answered, and one word for the whole.

Each server has a loop of its own, so that one that is slow holds up no other. A server that does not answer is no evidence that its
resources have changed: their last observation is kept, marked as slow, until the silence has lasted ``unknown_after``. What was right
and is no longer is looked at twice before it counts. The status is served from memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import structlog

from services.provisioner.events import EventLog
from services.provisioner.plan import observe_all
from services.provisioner.resource import Kind, Observation, Resource, State, unknown
from services.provisioner.settings import Settings
from shared.single_flight import SingleFlight

_log = structlog.get_logger(__name__)

#: the server that knows most about each kind of resource
_SERVERS: Final = {
    Kind.TOPIC: "Kafka",
    Kind.CONNECTOR: "Kafka Connect",
    Kind.STREAM: "ksqlDB",
    Kind.TABLE: "ksqlDB",
    Kind.QUERY: "ksqlDB",
    Kind.PINOT_TABLE: "Pinot",
}
#: how often the passing of time alone is looked at: a silence may have become long enough
_TICK_S: Final = 1.0
#: an event says that a server is slow when it has been so for this share of ``unknown_after``
_SLOW_SHARE: Final = 1 / 3


class Overall(StrEnum):
    """``absent``: nothing of the pipeline is there. ``degraded``: something of it is missing, drifted or does not work. ``changing``: the
    same while an apply or a teardown runs. ``unknown``: not observed yet, or something cannot be observed and all else is ok."""

    READY = "ready"
    DEGRADED = "degraded"
    CHANGING = "changing"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource as reported. ``observed_at`` (UTC): when its server last answered, None if never. ``slow``: it has not answered
    since, and ``observation`` is the last one all the same."""

    resource: Resource
    observation: Observation
    observed_at: datetime | None
    slow: bool


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """``complete``: no first look is outstanding. ``observed_at``: the oldest observation, None while one is lacking. ``freshness_ms``: age
    of the newest event that a query on Pinot could see at the last look; it grows while no events are made, and while Pinot does not
    answer."""

    overall: Overall
    reason: str
    complete: bool
    observed_at: datetime | None
    freshness_ms: int | None
    entries: tuple[Entry, ...]

    @property
    def ready(self) -> bool:
        return self.overall is Overall.READY


@dataclass(slots=True)
class _Seen:
    """The last observation of one resource. ``answered`` (monotonic): its begin. ``silent_since``
    (monotonic): begin of the first look after it that had no answer; ``trouble`` says why."""

    resource: Resource
    observation: Observation | None = None
    observed_at: datetime | None = None
    answered: float = 0.0
    trouble: str | None = None
    silent_since: float = 0.0
    silent_at: datetime | None = None


@dataclass(slots=True)
class _Server:
    """The resources of one server and the state of its loop."""

    name: str
    seen: list[_Seen]
    look: SingleFlight[None]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = 0.0
    health: str = ""


class Watcher:
    """The observed state of the pipeline. ``run`` keeps it up to date."""

    def __init__(self, resources: Sequence[Resource], settings: Settings, events: EventLog) -> None:
        self._settings = settings
        self._events = events
        self._seen = [_Seen(resource) for resource in resources]
        self._servers = [self._server(name) for name in dict.fromkeys(_SERVERS.values())]
        self._unknown_after_s = settings.unknown_after.total_seconds()
        self._asked = float("-inf")
        self._waits_until = float("inf")
        self._overall: Overall | None = None
        self._activity: str | None = None
        self._status = self._judge()

    def _server(self, name: str) -> _Server:
        seen = [seen for seen in self._seen if _SERVERS[seen.resource.kind] == name]
        server = _Server(name, seen, SingleFlight(lambda: self._observe_server(server)))
        return server

    @property
    def current(self) -> PipelineStatus:
        """The pipeline as last seen; asks no server. The same object until something has changed."""
        if time.monotonic() >= self._waits_until:
            self._publish()
        return self._status

    def status(self) -> PipelineStatus:
        """The same for a client: for a while the servers are observed more often."""
        now = time.monotonic()
        self._asked = now
        for server in self._servers:
            if now - server.began >= self._settings.watch_interval.total_seconds():
                server.wake.set()
        return self.current

    async def run(self) -> None:
        """Looks for as long as it runs."""
        try:
            async with asyncio.TaskGroup() as group:
                for number, server in enumerate(self._servers):
                    group.create_task(self._follow(server, number / len(self._servers)), name=f"watch {server.name}")
                group.create_task(self._tick(), name="watch the clock")
        finally:
            for server in self._servers:
                await server.look.aclose()

    async def refresh(self) -> PipelineStatus:
        """Looks at everything now; a silent server has the time of two looks. Never fails."""
        deadline = 2 * self._settings.look_timeout + self._settings.look_again
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline.total_seconds()):
                await asyncio.gather(*(server.look.get() for server in self._servers), return_exceptions=True)
        return self.status()

    async def _follow(self, server: _Server, share: float) -> None:
        """``share`` of an interval later than the others after the first look, so that the looks are spread out."""
        interval = self._settings.watch_interval.total_seconds()
        delay = share * interval
        while True:
            try:
                await server.look.get()
            except Exception as error:  # the next look may well succeed: the watch must not end
                _log.warning("observation failed", server=server.name, exc_info=error)
            await asyncio.sleep(delay)
            delay = 0.0
            server.wake.clear()
            attention = time.monotonic() - self._asked < self._settings.watch_attention.total_seconds()
            hurry = attention or any(seen.trouble for seen in server.seen)
            wait = interval if hurry else self._settings.watch_idle_interval.total_seconds()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await server.wake.wait()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            if time.monotonic() >= self._waits_until:
                self._publish()

    async def _observe_server(self, server: _Server) -> None:
        server.began = began = time.monotonic()
        began_at = datetime.now(UTC)
        found = await self._observe(server.seen)
        doubtful = [
            seen
            for seen, observation in zip(server.seen, found, strict=True)
            if seen.observation and seen.observation.state is State.OK and observation.state not in _SAYS_NO_HARM
        ]
        if doubtful and not self._activity:
            await asyncio.sleep(self._settings.look_again.total_seconds())
            again = {id(seen): o for seen, o in zip(doubtful, await self._observe(doubtful), strict=True)}
            found = tuple(again.get(id(seen), o) for seen, o in zip(server.seen, found, strict=True))
        for seen, observation in zip(server.seen, found, strict=True):
            self._take(seen, observation, began, began_at)
        self._publish()

    async def _observe(self, seen: Sequence[_Seen]) -> tuple[Observation, ...]:
        return await observe_all([one.resource for one in seen], self._settings.look_timeout)

    @staticmethod
    def _take(seen: _Seen, observation: Observation, began: float, began_at: datetime) -> None:
        if observation.state is State.UNKNOWN:
            if seen.trouble is None:
                seen.silent_since, seen.silent_at = began, began_at
            seen.trouble = observation.detail
        else:
            seen.observation, seen.observed_at, seen.trouble = observation, datetime.now(UTC), None
            seen.answered = began

    def _publish(self) -> None:
        self._status = self._judge()
        for server in self._servers:
            self._note_health(server)
        overall = self._status.overall
        if overall is not self._overall:
            before, self._overall = self._overall, overall
            if before is not None or overall is not Overall.UNKNOWN:
                self._events.add(
                    "pipeline",
                    f"Pipeline {overall}",
                    subject="the pipeline",
                    before=before or Overall.UNKNOWN,
                    after=overall,
                    reason=self._status.reason,
                )

    def begin(self, activity: str) -> None:
        """A run changes the pipeline from now on: a resource that is not ok is about to be."""
        self._activity = activity
        self._publish()

    async def settle(self) -> None:
        """The run is over: looks at everything, and then what is not right is wrong. What cannot be seen now counts as not looked at
        yet: an observation from before the run's end says nothing."""
        ended = time.monotonic()
        try:
            await asyncio.gather(*(server.look.get() for server in self._servers), return_exceptions=True)
        finally:
            for seen in self._seen:
                if seen.answered < ended:
                    seen.observation = seen.observed_at = None
            self._activity = None
            self._publish()

    def _judge(self) -> PipelineStatus:
        now = time.monotonic()
        entries = tuple(self._entry(seen, now) for seen in self._seen)
        silences = [seen.silent_since for seen in self._seen if seen.trouble is not None]
        steps = (self._unknown_after_s * _SLOW_SHARE, self._unknown_after_s)
        self._waits_until = min((s + step for s in silences for step in steps if s + step > now), default=float("inf"))
        first = [s for s in self._seen if s.observation is None and (s.trouble is None or not self._is_silent(s, now))]
        overall, reason = self._whole(entries, dict.fromkeys(_SERVERS[seen.resource.kind] for seen in first))
        times = [entry.observed_at for entry in entries if entry.observed_at is not None]
        observed_at = min(times) if len(times) == len(entries) else None
        return PipelineStatus(overall, reason, not first, observed_at, _freshness(entries), entries)

    def _is_silent(self, seen: _Seen, now: float) -> bool:
        return now - seen.silent_since >= self._unknown_after_s

    def _entry(self, seen: _Seen, now: float) -> Entry:
        if seen.trouble is None:
            return Entry(seen.resource, seen.observation or unknown("not observed yet"), seen.observed_at, slow=False)
        since = f"no answer since {seen.silent_at:%H:%M:%S} UTC: {seen.trouble}"
        if self._is_silent(seen, now):
            return Entry(seen.resource, unknown(since), seen.observed_at, slow=False)
        if seen.observation is None:
            return Entry(seen.resource, unknown(f"not observed yet; {since}"), None, slow=True)
        observation = replace(seen.observation, detail=f"{seen.observation.detail} (slow: {since})")
        return Entry(seen.resource, observation, seen.observed_at, slow=True)

    def _whole(self, entries: Sequence[Entry], not_yet: Collection[str]) -> tuple[Overall, str]:
        if not_yet:
            return Overall.UNKNOWN, f"not observed yet: {', '.join(not_yet)}"
        overall, reason = judge(entries)
        if self._activity and overall in (Overall.DEGRADED, Overall.ABSENT):
            return Overall.CHANGING, f"the {self._activity} is in progress"
        return overall, reason

    def _note_health(self, server: _Server) -> None:
        """An event when a server has been slow for a while, when it counts as silent, and when it answers again."""
        silences = [seen for seen in server.seen if seen.trouble is not None]
        longest = max((time.monotonic() - seen.silent_since for seen in silences), default=0.0)
        if longest >= self._unknown_after_s:
            health = "silent"
        elif longest >= self._unknown_after_s * _SLOW_SHARE:
            health = "slow"
        elif silences:
            return  # too short to say
        else:
            health = "answers"
        before, server.health = server.health or "answers", health
        if before != health:
            reason = next((str(seen.trouble) for seen in silences), "")
            self._events.add(
                "server", f"{server.name} {health}", subject=server.name, before=before, after=health, reason=reason
            )


#: what may count at once when it follows a right state
_SAYS_NO_HARM: Final = (State.OK, State.UNKNOWN)


def judge(entries: Sequence[Entry]) -> tuple[Overall, str]:
    """One word for all, and why. Topics may outlive the pipeline (a teardown keeps them), so they do not make it present."""
    wrong = [entry for entry in entries if entry.observation.state not in _SAYS_NO_HARM]
    standing = {entry.observation.state for entry in entries if entry.resource.kind is not Kind.TOPIC}
    if wrong and standing == {State.MISSING}:
        return Overall.ABSENT, "no connector, statement or table of the pipeline is there"
    if wrong:
        return Overall.DEGRADED, _first(wrong)
    unseen = [entry for entry in entries if entry.observation.state is State.UNKNOWN]
    if unseen:
        return Overall.UNKNOWN, _first(unseen)
    return Overall.READY, f"all {len(entries)} resources are ok"


def _first(entries: Sequence[Entry]) -> str:
    """The first of them in words, and how many more there are."""
    first = entries[0]
    more = f"; and {len(entries) - 1} more" if len(entries) > 1 else ""
    return f"{first.resource.id} is {first.observation.state}: {first.observation.detail}{more}"


def _freshness(entries: Sequence[Entry]) -> int | None:
    ages = []
    for entry in entries:
        age = entry.observation.facts.get("freshness_ms")
        if entry.resource.kind is Kind.PINOT_TABLE and age is not None and entry.observed_at is not None:
            late = (datetime.now(UTC) - entry.observed_at).total_seconds() * 1000 if entry.slow else 0
            ages.append(round(age + late))
    return min(ages, default=None)
