"""The interface of event sources: the form of an event, the counts, the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

#: (queue, key, value). Queues 0..P-1 are the partitions of the page views' topic, P..2P-1 those of the sessions' topic.
Event = tuple[int, bytes, bytes]


class EventSource(Protocol):
    """Makes events for the times that the pacer gives."""

    made: Made

    def emit(self, times: Sequence[float], now_ms: int, *, at_full_speed: bool) -> list[Event]:
        """One event per entry of ``times`` (rising, seconds of the run), stamped ``now_ms`` (milliseconds since the epoch).

        ``at_full_speed``: events are wanted as fast as possible, so that pauses between views cannot be kept.
        """


@dataclass(slots=True)
class Made:
    """How many events of each kind were made. Late, duplicate and malformed ones are among the others."""

    page_views: int = 0
    user_sessions: int = 0
    late: int = 0
    duplicate: int = 0
    malformed: int = 0
