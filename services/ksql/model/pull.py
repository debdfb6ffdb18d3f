"""Plans of pull queries: what to look up in a materialised table, made by ``analysis``, answered from state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.ksql.model.expression import Expression
from services.ksql.model.plan import NamedExpression
from services.ksql.model.schema import DataSource


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds in ms or of a key; None is open."""

    low: Any = None
    low_inclusive: bool = True
    high: Any = None
    high_inclusive: bool = True

    @property
    def is_open(self) -> bool:
        return self.low is None and self.high is None


OPEN = Range()


@dataclass(frozen=True, slots=True)
class PullPlan:
    """A pull query over one table.

    ``keys`` are the whole keys to look up (one value per key column, in the order of the source's schema), None for a scan;
    ``key_range`` narrows a scan of a table with one key column. Both, and the window ranges, only narrow: ``where`` is the
    whole predicate and decides. Expressions see the source's columns, ROWTIME, and WINDOWSTART and WINDOWEND if windowed.
    ``select`` are the result columns in order; the names in ``key_columns`` are those that count as KEY in a header.
    """

    source: DataSource
    select: tuple[NamedExpression, ...]
    key_columns: tuple[str, ...]
    where: Expression | None = None
    keys: tuple[tuple[Any, ...], ...] | None = None
    key_range: Range = OPEN
    window_start: Range = OPEN
    window_end: Range = OPEN
    limit: int | None = None
    sql: str = ""
