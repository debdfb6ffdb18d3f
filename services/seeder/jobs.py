"""The seeder's write jobs: which there are, and how far one is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.jobs import Job


class JobKind(StrEnum):
    SEED = "seed"
    DELETE = "delete"
    MUTATIONS = "mutations"


@dataclass(slots=True, kw_only=True)
class WriteJob(Job):
    """Writes users. ``done`` and ``total`` are rows; ``total`` is None when there is no end."""

    kind: JobKind
    total: int | None = None
    done: int = 0

    @property
    def rows_per_s(self) -> float:
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds to go at the present rate; None when unknown."""
        if not self.running or self.total is None or self.done == 0:
            return None
        return max(0.0, (self.total - self.done) / self.rows_per_s)
