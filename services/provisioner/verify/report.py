"""What an audit found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.provisioner.recompute.compare import Comparison

Side = Literal["sink", "pinot"]
Verdict = Literal["equal", "different", "not_caught_up"]


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table on one side; ``late`` counts pairs of record and window that were dropped as late, rightly."""

    table: str
    side: Side
    comparison: Comparison
    late: int = 0


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What the rule for dimensions (``shared.dimension``) did to a source topic: ``records``: texts of a source, device, country or page
    that are counted as another text, and ``merged`` names under which several different texts are counted."""

    records: int
    merged: int


@dataclass(slots=True)
class Progress:
    """How far an audit is."""

    phase: str = "starting"
    records_read: int = 0


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was compared with what, and what was found.

    By topic: ``unreadable`` records of a source that the pipeline skips, ``rewritten`` dimensions of a source where there are any, and
    ``undecodable`` records of a sink, which are not of its form: another program has written them. ``behind``: records that queries had
    not read when the audit ended, by table; one that reads another's late result is late too, with 0 of its own.
    """

    started_at: datetime
    took_ms: int
    records: dict[str, int]
    unreadable: dict[str, int]
    tables: tuple[TableReport, ...] = field(default_factory=tuple)
    rewritten: Mapping[str, Rewritten] = field(default_factory=dict)
    undecodable: Mapping[str, int] = field(default_factory=dict)
    behind: Mapping[str, int] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """``not_caught_up``: rows differ, but only in tables whose queries have not read everything yet."""
        wrong = {table.table for table in self.tables if not table.comparison.clean}
        if not wrong:
            return "equal"
        return "not_caught_up" if wrong <= self.behind.keys() else "different"

    @property
    def ok(self) -> bool | None:
        """Whether no row is missing, extra or different; None while that cannot be said."""
        return {"equal": True, "different": False, "not_caught_up": None}[self.verdict]
