"""What an audit found."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What the rule for dimensions (``shared.dimension``) did to a source topic: ``records`` whose source, device or country is counted
    as another text than theirs, and ``merged`` names under which several different texts are counted."""

    records: int
    merged: int


@dataclass(slots=True)
class Progress:
    """How far an audit is."""

    phase: str = "starting"
    records_read: int = 0


@dataclass(frozen=True, slots=True)
class AuditReport:
    """``ok``: no row is missing, extra or different.

    By topic: ``unreadable`` records of a source that the pipeline skips, ``rewritten`` dimensions of a source where there are any, and
    ``undecodable`` records of a sink, which are not of its form: somebody else has written them.
    """

    started_at: datetime
    took_ms: int
    records: dict[str, int]
    unreadable: dict[str, int]
    tables: tuple[TableReport, ...] = field(default_factory=tuple)
    rewritten: Mapping[str, Rewritten] = field(default_factory=dict)
    undecodable: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return all(table.comparison.clean for table in self.tables)
