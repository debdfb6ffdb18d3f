"""Traffic comes in waves: each source is active for a while, then silent for longer than the pipeline's session gap.

Without the pauses a session window by source would never close. The sources take turns, so that at least one is always
active and the total rate stays what was asked for; a lone source therefore never pauses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from shared.events import Source


@dataclass(frozen=True, slots=True)
class WaveLengths:
    """Shortest and longest wave and pause, in seconds."""

    active_s: tuple[float, float]
    pause_s: tuple[float, float]
    #: whether one source must stay active, so that the total rate can be kept
    always_one: bool = True


#: how much longer than the pipeline's session gap a pause is: events are late, and so are acknowledgements
_BEYOND_GAP_S: Final = (6.0, 20.0)
_ACTIVE_S: Final = (20.0, 60.0)
#: how long a wave that had to go on overlaps the one that relieves it
_HANDOVER_S: Final = 2.0
#: all sources begin active; their first waves end one after the other, this far apart
_FIRST_END_S: Final = 15.0


def natural_waves(session_gap: timedelta) -> WaveLengths:
    """Waves whose every pause ends a session."""
    shortest, longest = _BEYOND_GAP_S
    gap_s = session_gap.total_seconds()
    return WaveLengths(active_s=_ACTIVE_S, pause_s=(gap_s + shortest, gap_s + longest))


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of time with the same active sources. ``cumulative`` are their shares added up, the last is 1.

    Where no source is active ``share`` is 0 and ``sources`` has them all.
    """

    end: float
    sources: tuple[Source, ...]
    cumulative: tuple[float, ...]
    #: weight of the active sources in that of all
    share: float


class Waves:
    """The waves of all sources as one timeline, made as far as someone asks. Same ``rng`` state, same timeline."""

    def __init__(self, weights: Mapping[Source, float], rng: np.random.Generator, lengths: WaveLengths | None) -> None:
        self._weights = {source: weight for source, weight in weights.items() if weight > 0}
        self._total = sum(self._weights.values())
        self._rng = rng
        self._lengths = lengths
        order = [list(self._weights)[i] for i in rng.permutation(len(self._weights))]
        self._active = dict.fromkeys(order, True)
        self._until = {source: _FIRST_END_S * (i + 1) for i, source in enumerate(order)}
        if lengths is not None and not lengths.always_one:
            self._until = {source: self._draw(lengths.active_s) for source in order}
        self._steady = lengths is None or (lengths.always_one and len(order) == 1)
        self._segments: list[Segment] = []
        self._ends: list[float] = []

    def at(self, t: float) -> Segment:
        """The segment that holds ``t`` (seconds from the start, not negative)."""
        while not self._ends or self._ends[-1] <= t:
            self._extend()
        return self._segments[bisect_right(self._ends, t)]

    def _extend(self) -> None:
        active = [source for source, is_active in self._active.items() if is_active]
        end = float("inf") if self._steady else self._next_change()
        # A segment without an active source has no rate; an event on its edge may come from any source.
        sources = active or list(self._active)
        weight = sum(self._weights[source] for source in sources)
        cumulative = np.cumsum([self._weights[source] / weight for source in sources]).tolist()
        cumulative[-1] = 1.0
        share = weight / self._total if active else 0.0
        self._segments.append(Segment(end, tuple(sources), tuple(cumulative), share))
        self._ends.append(end)

    def _next_change(self) -> float:
        """Moves to the next start or end of a wave and answers its time."""
        assert self._lengths is not None  # noqa: S101 - steady traffic never comes here
        while True:
            source = min(self._until, key=lambda s: self._until[s])
            now = self._until[source]
            others = [s for s in self._active if s != source]
            alone = self._active[source] and not any(self._active[s] for s in others)
            if alone and self._lengths.always_one:
                self._until[source] = min(self._until[s] for s in others) + _HANDOVER_S
                continue
            self._active[source] = not self._active[source]
            span = self._lengths.active_s if self._active[source] else self._lengths.pause_s
            self._until[source] = now + self._draw(span)
            return now

    def _draw(self, span: tuple[float, float]) -> float:
        return float(self._rng.uniform(*span))
