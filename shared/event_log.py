"""What happened to a service lately, for marks on a time axis: starts, stops, changes. Kept in memory, the newest hundred."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field

KEPT = 100


class LoggedEvent(BaseModel):
    """One thing that happened."""

    id: int = Field(description="Grows, also over restarts: the time in epoch milliseconds, made unique")
    at: datetime
    at_ms: int = Field(description="The same in epoch milliseconds", examples=[1760000100123])
    kind: str = Field(examples=["rate"])
    title: str = Field(description="In two or three words", examples=["Rate 2,000/s"])
    detail: str = Field(description="In one sentence")


class LoggedEvents(BaseModel):
    """The newest events, oldest first."""

    events: Annotated[list[LoggedEvent], Field(max_length=KEPT)]


class EventLog:
    """Keeps the newest events; for one event loop. ``clock`` is epoch seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._events: deque[LoggedEvent] = deque(maxlen=KEPT)

    def add(self, kind: str, title: str, detail: str) -> LoggedEvent:
        """Notes that it happened now."""
        at_ms = round(self._clock() * 1000)
        last = self._events[-1].id if self._events else 0
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        event = LoggedEvent(id=max(at_ms, last + 1), at=at, at_ms=at_ms, kind=kind, title=title, detail=detail)
        self._events.append(event)
        return event

    def since(self, after: int = 0, limit: int = KEPT) -> LoggedEvents:
        """The newest ``limit`` of those with a greater id, oldest first."""
        return LoggedEvents(events=[event for event in self._events if event.id > after][-limit:])
