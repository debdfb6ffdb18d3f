"""Session windows: a session ends after a pause of more than the gap; its end is its last event."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from services.provisioner.recompute.rows import Aggregate, Identity, Row, Shape
from services.provisioner.recompute.streamtime import Bounds, Verdict


@dataclass(slots=True, order=True)
class _Session:
    start: int
    end: int
    aggregate: Aggregate = field(compare=False)


@dataclass(slots=True)
class Sessions:
    """Sessions by group; ``gap`` and ``grace`` in ms.

    A session that has left ksqlDB's store (its end at or before the newest stored end, less grace and gap) is not found again: an event
    within the gap then makes a session of its own.
    """

    shape: Shape
    gap: int
    grace: int
    late: int = 0
    _by_group: dict[str, list[_Session]] = field(default_factory=dict)
    _unsure: dict[str, list[int]] = field(default_factory=dict)
    _newest_stored: int = -1

    def add(self, group: str, time: int, user: int | None, bounds: Bounds) -> None:
        """Puts an event into its session, merging those that it connects."""
        sessions = self._by_group.setdefault(group, [])
        near = [session for session in self._around(sessions, time) if self._stored(session)]
        end = max([time, *(session.end for session in near)])
        verdict = bounds.judge(end + self.grace + self.gap, strict=True)
        if verdict is not Verdict.IN:
            if verdict is Verdict.UNSURE:
                insort(self._unsure.setdefault(group, []), time)
            else:
                self.late += 1
            return
        merged = _Session(min([time, *(session.start for session in near)]), end, Aggregate())
        for session in near:
            merged.aggregate.absorb(session.aggregate)
            sessions.remove(session)
        merged.aggregate.add(time, user)
        insort(sessions, merged)
        self._newest_stored = max(self._newest_stored, end)

    def _around(self, sessions: list[_Session], time: int) -> list[_Session]:
        """Sessions at most one gap away; only the neighbours of ``time`` can be, since all others are further apart."""
        position = bisect_left(sessions, time, key=lambda session: session.start)
        first, last = position, position
        while first > 0 and sessions[first - 1].end >= time - self.gap:
            first -= 1
        while last < len(sessions) and sessions[last].start <= time + self.gap:
            last += 1
        return sessions[first:last]

    def _stored(self, session: _Session) -> bool:
        return session.end > self._newest_stored - self.grace - self.gap

    def rows(self) -> dict[Identity, Row]:
        """What the table must hold, apart from what is unsure."""
        return {
            (group, session.start): self.shape.row(group, session.start, session.end, session.aggregate)
            for group, sessions in self._by_group.items()
            for session in sessions
        }

    def is_unsure(self, identity: Identity, row: Row) -> bool:
        """Whether an event of unknown lateness is in or next to this session."""
        times = self._unsure.get(identity[0], [])
        position = bisect_left(times, row["window_start"] - self.gap)
        return position < len(times) and times[position] <= row["window_end"] + self.gap
