"""Rows that must be there against rows that are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Literal

from services.provisioner.recompute.rows import Row
from shared import dimension

EXAMPLES = 5

#: relative; sums in another order differ in the last digits
_AVERAGE_TOLERANCE = 1e-9

Problem = Literal["missing", "extra", "different"]


class Handling(Enum):
    """What to do with a row: ``tolerate`` a difference (counted as unsure), or ``skip`` the row altogether."""

    COMPARE = auto()
    TOLERATE = auto()
    SKIP = auto()


@dataclass(frozen=True, slots=True)
class Example:
    """One missing, extra or different row."""

    problem: Problem
    identity: str
    expected: Row | None
    actual: Row | None


@dataclass(slots=True)
class Comparison:
    """Counts of rows. ``unsure``: may differ because of events or changes of unknown lateness. ``skipped``: still moving, or
    older than what is kept."""

    compared: int = 0
    equal: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    unsure: int = 0
    skipped: int = 0
    examples: list[Example] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.missing or self.extra or self.different)

    def note(self, identity: object, expected: Row | None, actual: Row | None) -> None:
        """Counts a row that is missing, extra or different, and keeps the first few as examples."""
        problem: Problem = "missing" if actual is None else "extra" if expected is None else "different"
        setattr(self, problem, getattr(self, problem) + 1)
        if len(self.examples) < EXAMPLES:
            self.examples.append(Example(problem, dimension.apply(str(identity)), _shown(expected), _shown(actual)))


def _shown(row: Row | None) -> Row | None:
    """Bounded for a report: a sink may have records of other programs, of any length."""
    return row and {name: dimension.apply(value) if isinstance(value, str) else value for name, value in row.items()}


def compare_tables(
    expected: Mapping[Any, Row],
    actual: Mapping[Any, Row],
    handling: Callable[[Any, Row], Handling],
    *,
    distinct_tolerance: float = 0.0,
) -> Comparison:
    """Row by row. ``distinct_tolerance`` is the relative error allowed in ``user_count`` (ksqlDB's own count is an estimate)."""
    result = Comparison()
    for identity in expected.keys() | actual.keys():
        want, have = expected.get(identity), actual.get(identity)
        how = handling(identity, want or have or {})
        if how is Handling.SKIP:
            result.skipped += 1
            continue
        result.compared += 1
        if want is not None and have is not None and same(want, have, distinct_tolerance):
            result.equal += 1
        elif how is Handling.TOLERATE:
            result.unsure += 1
        else:
            result.note(identity, want, have)
    return result


def same(want: Row, have: Row, distinct_tolerance: float = 0.0) -> bool:
    """Equal in every expected column."""
    return all(_same(name, value, have.get(name), distinct_tolerance) for name, value in want.items())


def _same(name: str, want: Any, have: Any, distinct_tolerance: float) -> bool:
    if not isinstance(want, int | float) or not isinstance(have, int | float):
        return bool(want == have)
    if name == "average_age":
        return math.isclose(want, have, rel_tol=_AVERAGE_TOLERANCE)
    if name == "user_count" and distinct_tolerance:
        return bool(abs(want - have) <= max(1.0, distinct_tolerance * want))
    return bool(want == have)
