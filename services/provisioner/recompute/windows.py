"""Tumbling and hopping windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.provisioner.recompute.rows import Aggregate, Identity, Row, Shape
from services.provisioner.recompute.streamtime import Bounds, Verdict


@dataclass(slots=True)
class TimeWindows:
    """Aggregates by group and window; ``size``, ``advance`` and ``grace`` in ms. Tumbling windows advance by their size.

    ``unsure`` holds what may or may not have been counted (see ``streamtime``), apart from what certainly was.
    """

    shape: Shape
    size: int
    advance: int
    grace: int
    sure: dict[Identity, Aggregate] = field(default_factory=dict)
    unsure: set[Identity] = field(default_factory=set)
    late: int = 0

    def starts(self, time: int) -> Iterator[int]:
        """Starts of the windows that cover ``time``, multiples of the advance, none below zero."""
        first = max(0, time - self.size + self.advance) // self.advance * self.advance
        return iter(range(first, time + 1, self.advance))

    def add(self, group: str, time: int, user: int | None, bounds: Bounds, age: int = 0) -> None:
        """Counts an event in each of its windows that was still open; a hopping event may be late for some of them only."""
        for start in self.starts(time):
            verdict = bounds.judge(start + self.size + self.grace)
            if verdict is Verdict.OUT:
                self.late += 1
                continue
            identity = (group, start)
            if verdict is Verdict.UNSURE:
                self.unsure.add(identity)
            else:
                self.sure.setdefault(identity, Aggregate()).add(time, user, age)

    def rows(self) -> dict[Identity, Row]:
        """What the table must hold, apart from what is unsure."""
        return {
            (group, start): self.shape.row(group, start, start + self.size, aggregate)
            for (group, start), aggregate in self.sure.items()
        }

    def is_unsure(self, identity: Identity, row: Row) -> bool:
        """Whether a difference in this row may come from an event of unknown lateness."""
        return identity in self.unsure
