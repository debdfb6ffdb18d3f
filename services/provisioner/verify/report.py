"""What an audit found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.provisioner.recompute.compare import Comparison

Side = Literal["sink", "pinot"]


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table on one side; ``late`` counts pairs of record and window that were dropped as late, rightly."""

    table: str
    side: Side
    comparison: Comparison
    late: int = 0


@dataclass(slots=True)
class Progress:
    """How far an audit is."""

    phase: str = "starting"
    records_read: int = 0


@dataclass(frozen=True, slots=True)
class AuditReport:
    """``ok``: no row is missing, extra or different. ``unreadable``: records that the pipeline skips, by topic."""

    started_at: datetime
    took_ms: int
    records: dict[str, int]
    unreadable: dict[str, int]
    tables: tuple[TableReport, ...] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        return all(table.comparison.clean for table in self.tables)
