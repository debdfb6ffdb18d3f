"""Queries of the AST: SELECT with all its clauses."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.ksql.model.schema import WindowType
from services.ksql.sql.ast_expressions import NOWHERE, Expression, Location


@dataclass(frozen=True, slots=True)
class Star:
    """``*`` or ``source.*``."""

    source: str | None = None
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SelectItem:
    expression: Expression
    alias: str | None = None
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Interval:
    """``unit`` as ksqlDB prints it: the plural, upper-case."""

    value: int
    unit: str

    @property
    def milliseconds(self) -> int:
        return self.value * UNIT_MS[self.unit]


_DAY_MS = 86_400_000
#: Months and years have no fixed length; ksqlDB refuses them in windows.
UNIT_MS = {
    "MILLISECONDS": 1,
    "SECONDS": 1_000,
    "MINUTES": 60_000,
    "HOURS": 3_600_000,
    "DAYS": _DAY_MS,
    "MONTHS": 30 * _DAY_MS,
    "YEARS": 365 * _DAY_MS,
}


@dataclass(frozen=True, slots=True)
class Relation:
    name: str
    alias: str
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Within:
    before: Interval
    after: Interval
    grace: Interval | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """``type`` is INNER, LEFT, RIGHT or FULL."""

    type: str
    right: Relation
    criteria: Expression
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """``size`` is the gap of a SESSION window."""

    type: WindowType
    size: Interval
    advance: Interval | None = None
    retention: Interval | None = None
    grace: Interval | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """``emit`` is CHANGES, FINAL or None (a pull query when it stands alone)."""

    select: tuple[SelectItem | Star, ...]
    source: Relation
    joins: tuple[Join, ...] = ()
    window: Window | None = None
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    partition_by: tuple[Expression, ...] = ()
    having: Expression | None = None
    emit: str | None = None
    limit: int | None = None
