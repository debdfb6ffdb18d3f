"""Keeps the last good answer of everything that is asked, and says since when it is stale and why."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from threading import Lock
from time import time
from typing import Any, Final, Generic, TypeVar, cast

import structlog

from shared.errors import PagePulseError

T = TypeVar("T")
U = TypeVar("U")

#: enough for every query and range of the pages; the least recently used answer goes first
_KEPT: Final = 128

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CachedResult(Generic[T]):
    """An answer. Times are epoch seconds.

    ``value`` is None only if there never was a good answer. ``stale_since`` is when the value shown was last right:
    the moment of the last good answer (or of the first failure, if there was none).
    """

    value: T | None = None
    taken_at: float | None = None
    stale_since: float | None = None
    error: PagePulseError | None = None

    @property
    def stale(self) -> bool:
        return self.stale_since is not None

    def map(self, change: Callable[[T], U]) -> CachedResult[U]:
        """The same reading of what ``change`` makes of its value."""
        value = None if self.value is None else change(self.value)
        return CachedResult(value, self.taken_at, self.stale_since, self.error)


@dataclass(slots=True)
class _Slot:
    lock: Lock = field(default_factory=Lock)
    reading: CachedResult[Any] = field(default_factory=CachedResult)
    asked_at: float = float("-inf")


class StaleCache:
    """The last good answers of this process, shared by all viewers; safe to use from several threads."""

    def __init__(self, share_for: float = 0.0, clock: Callable[[], float] = time) -> None:
        self._share_for = share_for
        self._clock = clock
        self._lock = Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def read(self, key: Hashable, load: Callable[[], T]) -> CachedResult[T]:
        """The answer of ``load``, or the last good one under ``key`` marked as stale. Never raises a PagePulseError.

        Within ``share_for`` seconds of the last attempt the same answer is returned without asking again.
        """
        slot = self._slot(key)
        with slot.lock:
            if self._clock() - slot.asked_at >= self._share_for:
                slot.reading = self._load(key, load, slot.reading)
                slot.asked_at = self._clock()
            return cast(CachedResult[T], slot.reading)

    def forget(self, key: Hashable) -> None:
        """The next ``read`` of ``key`` asks again; the last good answer is kept."""
        slot = self._slot(key)
        with slot.lock:
            slot.asked_at = float("-inf")

    def _load(self, key: Hashable, load: Callable[[], T], last: CachedResult[T]) -> CachedResult[T]:
        try:
            value = load()
        except PagePulseError as error:
            since = last.stale_since or last.taken_at or self._clock()
            if not last.stale:
                _log.warning("no fresh data", what=str(key), problem=error.type, detail=error.detail)
            return replace(last, stale_since=since, error=error)
        return CachedResult(value=value, taken_at=self._clock())

    def _slot(self, key: Hashable) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > _KEPT:
                self._slots.popitem(last=False)
            return slot
