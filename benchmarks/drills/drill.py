"""A drill: a fault, its remedy, and the row of its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.drills.disk import SmallDisk
from benchmarks.drills.environment import Environment

Act = Callable[[Environment], Awaitable[None]]


async def leave_it(environment: Environment) -> None:
    """The remedy of a fault from which the system recovers by itself."""


@dataclass(frozen=True, slots=True)
class Drill:
    """``strike`` returns at the fault's end, from which recovery is counted; ``remedy`` is part of the recovery.

    With a ``disk`` it has a stack of its own, with that disk in it.
    """

    name: str
    fault: str
    strike: Act
    remedy: Act = leave_it
    disk: SmallDisk | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of load before the fault and after the recovery; events per second."""

    before_s: float = 8.0
    after_s: float = 4.0
    rate: float = 1_000.0
    recovery_within_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row. ``gap_s``: the longest time in which some table of Pinot got nothing new. ``recovery_s``: from the fault's end until every
    component is healthy, the pipeline is ready and every table shows an event made after the fault; None: not in time.
    ``equal``: the provisioner's audit and the independent recomputation both find nothing."""

    name: str
    fault: str
    acknowledged: int
    lost: int
    doubled: int
    gap_s: float
    recovery_s: float | None
    equal: bool
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.equal and self.recovery_s is not None and not self.lost and not self.doubled

    def publish(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "name": self.name,
            "fault": self.fault,
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "doubled": self.doubled,
            "gap_s": round(self.gap_s, 1),
            "recovery_s": None if self.recovery_s is None else round(self.recovery_s, 1),
            "equal": self.equal,
            "notes": self.notes,
        }
