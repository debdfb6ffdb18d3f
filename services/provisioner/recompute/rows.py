"""Rows of the result tables, and the running aggregate behind one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pyroaring import BitMap

Row = dict[str, Any]

#: group and window start: what identifies a row, here as in Pinot
Identity = tuple[str, int]

_UNSIGNED = 0xFFFFFFFF


@dataclass(slots=True)
class Aggregate:
    """Views, distinct users, sum of ages and newest event of one group in one window. Users are a bitmap: a few bytes each."""

    count: int = 0
    newest: int = 0
    ages: int = 0
    users: BitMap = field(default_factory=BitMap)

    def add(self, time: int, user: int | None, age: int = 0) -> None:
        self.count += 1
        self.newest = max(self.newest, time)
        self.ages += age
        if user is not None:
            self.users.add(user & _UNSIGNED)

    def absorb(self, other: Aggregate) -> None:
        """Takes over all of ``other``, as when sessions merge."""
        self.count += other.count
        self.newest = max(self.newest, other.newest)
        self.ages += other.ages
        self.users |= other.users


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table names its columns; ``with_age`` adds the mean age over its views."""

    dimension: str
    count: str = "view_count"
    with_age: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """As in the sink and in Pinot."""
        names = (self.dimension, "window_start", "window_end", self.count, "user_count", "updated_at")
        return (*names, "average_age") if self.with_age else names

    def row(self, group: str, start: int, end: int, aggregate: Aggregate) -> Row:
        row: Row = {
            self.dimension: group,
            "window_start": start,
            "window_end": end,
            self.count: aggregate.count,
            "user_count": len(aggregate.users),
            "updated_at": aggregate.newest,
        }
        if self.with_age:
            row["average_age"] = aggregate.ages / aggregate.count
        return row
