"""What happened to the pipeline: changes of its state, servers that fall silent, and the begin and end of runs."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import structlog

_log = structlog.get_logger(__name__)

#: events that can still be asked for
_KEPT = 100

EventKind = Literal["pipeline", "server", "apply", "teardown", "verify"]


@dataclass(frozen=True, slots=True)
class Event:
    """One change of state of the pipeline, of a server, or of a run.

    ``id`` grows, also over restarts: it is the time in epoch milliseconds, made unique.
    """

    id: int
    at: datetime
    at_ms: int
    kind: EventKind
    title: str
    before: str
    after: str
    reason: str
    subject: str

    @property
    def detail(self) -> str:
        """One sentence with all of it."""
        change = f"{self.subject}: {self.before} → {self.after}" if self.before else f"{self.subject}: {self.after}"
        return f"{change}. {self.reason}" if self.reason else change


class EventLog:
    """The last hundred events."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=_KEPT)

    def add(self, kind: EventKind, title: str, *, subject: str, before: str, after: str, reason: str = "") -> Event:
        at_ms = round(time.time() * 1000)
        last = self._events[-1].id if self._events else 0
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        event = Event(max(at_ms, last + 1), at, at_ms, kind, title, before, after, reason, subject)
        self._events.append(event)
        _log.info("event", kind=kind, title=title, subject=subject, before=before, after=after, reason=reason)
        return event

    def since(self, after: int = 0, limit: int = _KEPT) -> list[Event]:
        """The newest ``limit`` of those with a greater id, oldest first."""
        return [event for event in self._events if event.id > after][-limit:]
