"""What people do: log in, view pages with pauses for thought, leave, come back another day.

Pure and synchronous. Time is the run's own time in seconds (``times``), given by the pacer, so that a seed gives the same
events whatever the load of the machine; only the wall-clock stamps differ. A session whose next view is due emits it;
otherwise a new session starts. So the number of sessions follows the rate, and pauses keep their distribution.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import accumulate, chain, repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.generator.population import Population, user_name
from services.generator.session_ids import session_ids
from services.generator.source import Event, Made
from services.generator.waves import Waves
from shared.events import Device, Source
from shared.json import dumps

#: page views per session: geometric
MEAN_VIEWS: Final = 8.0
#: seconds between two views: log-normal, a few seconds with a long tail
THINK_MEDIAN_S: Final = 3.0
THINK_SIGMA: Final = 0.8
#: the first page shows this soon after the login
LANDING_S: Final = 0.4
#: logins while others are due: a little below the share that keeps the number of people online steady
_LOGIN_SHARE: Final = 0.8 / (1.0 + MEAN_VIEWS)
_VIEW_SHARE: Final = 1.0 - _LOGIN_SHARE
#: people online at full speed: enough to mix, few enough to stay in the processor's cache
MAX_HURRIED: Final = 4_000
_BLOCK: Final = 8192
#: a duplicate repeats one of this many last events
_RECENT: Final = 256
#: the pages of the simulated site and their shares of the views of every source: few lead, as on a real site
PAGES: Final[Mapping[str, float]] = {
    "/": 0.24,
    "/products": 0.17,
    "/products/espresso-machine": 0.12,
    "/offers": 0.09,
    "/products/coffee-grinder": 0.08,
    "/cart": 0.07,
    "/products/french-press": 0.05,
    "/checkout": 0.04,
    "/blog": 0.03,
    "/blog/how-to-brew-coffee-at-home": 0.03,
    "/account": 0.025,
    "/about": 0.02,
    "/contact": 0.02,
    "/help/returns-and-refunds": 0.015,
}


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of events that are late (by up to ``late_max_s`` seconds), sent twice, or not readable."""

    late: float = 0.0
    late_max_s: float = 60.0
    duplicate: float = 0.0
    malformed: float = 0.0

    @property
    def any(self) -> bool:
        return self.late + self.duplicate + self.malformed > 0


def damaged(value: bytes, how: float) -> bytes:
    """A value that no reader of the topic can take: cut off, no JSON at all, or a text where a number must be."""
    if how < 1 / 3:
        return value[: len(value) // 2]
    if how < 2 / 3:
        return b"not a page view"
    return value.replace(b'"user_id":', b'"user_id":"unknown ', 1).replace(b',"source"', b'","source"', 1)


@dataclass(slots=True)
class _Visit:
    key: bytes
    partition: int
    #: the value up to the source
    head: bytes
    views_left: int


@dataclass(slots=True)
class Crowd:
    """All open sessions. ``seed`` determines the sequence of events."""

    population: Population
    waves: Waves
    devices: Mapping[Device, float]
    partitions: int
    rng: np.random.Generator
    faults: Faults = field(default_factory=Faults)
    max_active: int = 20_000
    made: Made = field(default_factory=Made)

    _hurried: list[_Visit] = field(default_factory=list)
    _online: list[tuple[float, int, _Visit]] = field(default_factory=list)
    _recent: deque[Event] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _logins: int = 0
    _users: Iterator[int] = field(init=False)
    _ids: Iterator[tuple[bytes, int]] = field(init=False)
    _device: Iterator[bytes] = field(init=False)
    _uniform: Iterator[float] = field(init=False)
    _think: Iterator[float] = field(init=False)
    _length: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        streams = self.rng.spawn(6)
        self._users = self.population.draws()
        self._ids = session_ids(streams[0], self.partitions)
        self._device = _choices(streams[1], self.devices)
        self._uniform = _floats(streams[2].random)
        self._think = _floats(partial(_log_normal, streams[3]))
        self._length = _lengths(streams[4])
        self.rng = streams[5]

    def replace_population(self, user_ids: NDArray[np.int64]) -> None:
        """Users of sessions that start from now on; open sessions stay."""
        self.population = self.population.renewed(user_ids)
        self._users = self.population.draws()

    def emit(self, times: Sequence[float], now_ms: int, *, at_full_speed: bool = False) -> list[Event]:
        if self.faults.any:
            return [self._with_faults(t, now_ms) for t in times]
        if at_full_speed:
            return self._hurry(times, now_ms)
        return self._make(times, now_ms, b"%d" % now_ms)

    def _make(self, times: Sequence[float], now_ms: int, stamp: bytes) -> list[Event]:
        """The events themselves. One flat loop: at high rates this is where the time goes."""
        online, most, replace = self._online, self.max_active, heapq.heapreplace
        uniform, think = self._uniform.__next__, self._think.__next__
        events: list[Event] = []
        login_share, view_share = _LOGIN_SHARE, _VIEW_SHARE
        views, segment_end = 0, -1.0
        cumulative: list[float] = []
        tails: list[tuple[bytes, bytes]] = []
        for t in times:
            if t >= segment_end:
                segment = self.waves.at(t)
                segment_end = segment.end
                cumulative, tails = _tails(segment.sources, segment.cumulative)
            if not online or (online[0][0] > t and len(online) < most) or (draw := uniform()) < login_share:
                visit, login = self._login(now_ms)
                self._logins += 1
                heapq.heappush(online, (t + LANDING_S * think() / THINK_MEDIAN_S, self._logins, visit))
                events.append(login)
                continue
            _, number, visit = online[0]
            visit.views_left -= 1
            if visit.views_left:
                replace(online, (t + think(), number, visit))
            else:
                heapq.heappop(online)
            views += 1
            # What is left of the draw is uniform again.
            source, page = tails[bisect_right(cumulative, (draw - login_share) / view_share)]
            events.append((visit.partition, visit.key, visit.head + source + stamp + page))
        self.made.page_views += views
        return events

    def _hurry(self, times: Sequence[float], now_ms: int) -> list[Event]:
        """At full speed pauses are not kept: each open session is equally likely to emit the next view."""
        online, most, uniform = self._hurried, MAX_HURRIED, self._uniform.__next__
        login_share, view_share = _LOGIN_SHARE, _VIEW_SHARE
        segment = self.waves.at(times[0])
        cumulative, tails = _tails(segment.sources, segment.cumulative)
        stamp = b"%d" % now_ms
        events: list[Event] = []
        views = 0
        for _ in times:
            if len(online) < most or (draw := uniform()) < login_share:
                visit, login = self._login(now_ms)
                online.append(visit)
                events.append(login)
                continue
            # One draw selects the user and, with its remainder, source and page.
            draw = (draw - login_share) / view_share * len(online)
            position = int(draw)
            visit = online[position]
            visit.views_left -= 1
            if not visit.views_left:
                online[position] = online[-1]
                online.pop()
            views += 1
            source, page = tails[bisect_right(cumulative, draw - position)]
            events.append((visit.partition, visit.key, visit.head + source + stamp + page))
        self.made.page_views += views
        return events

    def _login(self, now_ms: int) -> tuple[_Visit, Event]:
        key, partition = next(self._ids)
        user_id = next(self._users)
        head = b'{"session_id":"%b","user_id":%d,' % (key, user_id)
        visit = _Visit(key, partition, head + b'"source":"', next(self._length))
        self.made.user_sessions += 1
        value = b'%b"user_name":%b,"login_timestamp":%d,"device":"%b"}' % (
            head,
            dumps(user_name(user_id)),
            now_ms,
            next(self._device),
        )
        return visit, (self.partitions + partition, key, value)

    def _with_faults(self, t: float, now_ms: int) -> Event:
        faults, made, draw = self.faults, self.made, next(self._uniform)
        if draw < faults.duplicate and self._recent:
            event = self._recent[int(next(self._uniform) * len(self._recent))]
            made.duplicate += 1
            if event[0] < self.partitions:
                made.page_views += 1
            else:
                made.user_sessions += 1
            return event
        draw -= faults.duplicate
        late = 0 <= draw - faults.malformed < faults.late
        delay_ms = int(next(self._uniform) * faults.late_max_s * 1000) if late else 0
        (event,) = self._make((t,), now_ms, b"%d" % (now_ms - delay_ms))
        if event[0] >= self.partitions:
            # Logins stay whole and in time: a view whose login is lost would have no session.
            self._recent.append(event)
            return event
        if 0 <= draw < faults.malformed:
            made.malformed += 1
            return event[0], event[1], damaged(event[2], next(self._uniform))
        made.late += late
        self._recent.append(event)
        return event


@lru_cache(maxsize=64)
def _tails(sources: tuple[Source, ...], shares: tuple[float, ...]) -> tuple[list[float], list[tuple[bytes, bytes]]]:
    """For each source and page the share up to it (the last is 1), and what a view has before and after its time. ``shares`` are the
    sources' own, added up."""
    up_to = [*accumulate(PAGES.values())]
    before = (0.0, *shares[:-1])
    cumulative = [
        low + (high - low) * page / up_to[-1] for low, high in zip(before, shares, strict=True) for page in up_to
    ]
    tails = [
        (b'%b","event_timestamp":' % source.value.encode(), b',"page":%b}' % dumps(page))
        for source in sources
        for page in PAGES
    ]
    return cumulative, tails


def _log_normal(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.lognormal(np.log(THINK_MEDIAN_S), THINK_SIGMA, count)


def _floats(draw: Callable[[int], NDArray[np.float64]]) -> Iterator[float]:
    return chain.from_iterable(draw(_BLOCK).tolist() for _ in repeat(None))


def _lengths(rng: np.random.Generator) -> Iterator[int]:
    return chain.from_iterable(rng.geometric(1 / MEAN_VIEWS, _BLOCK).tolist() for _ in repeat(None))


def _choices(rng: np.random.Generator, weights: Mapping[Device, float]) -> Iterator[bytes]:
    names = [device.value.encode() for device in weights]
    shares = np.array(list(weights.values()), dtype=np.float64)
    while True:
        for position in rng.choice(len(names), size=_BLOCK, p=shares / shares.sum()).tolist():
            yield names[position]
