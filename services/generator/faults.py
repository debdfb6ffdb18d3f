"""Events that are late, doubled or broken on purpose: what a pipeline must stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of events that are late (by up to ``late_max_s`` seconds), sent twice, or not readable."""

    late: float = 0.0
    late_max_s: float = 60.0
    duplicate: float = 0.0
    malformed: float = 0.0

    @property
    def any(self) -> bool:
        return self.late + self.duplicate + self.malformed > 0


def damaged(value: bytes, how: float) -> bytes:
    """A value that no reader of the topic can take: cut off, no JSON at all, or a text where a number must be."""
    if how < 1 / 3:
        return value[: len(value) // 2]
    if how < 2 / 3:
        return b"not a page view"
    return value.replace(b'"user_id":', b'"user_id":"unknown ', 1).replace(b',"source"', b'","source"', 1)
