"""What a query counts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Stats:
    """``dropped`` counts by (operator, cause); causes are late, malformed, null_key, no_event_time, event_time_ahead ..."""

    consumed: int = 0
    produced: int = 0
    dropped: dict[tuple[str, str], int] = field(default_factory=dict)

    def drop(self, operator: str, cause: str, count: int = 1) -> None:
        self.dropped[operator, cause] = self.dropped.get((operator, cause), 0) + count

    def by_cause(self) -> dict[str, int]:
        """The drops of all operators together."""
        total: dict[str, int] = {}
        for (_, cause), count in self.dropped.items():
            total[cause] = total.get(cause, 0) + count
        return total
