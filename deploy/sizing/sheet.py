"""A calculation that shows itself: each line has a name, a value, and the arithmetic that led to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_THOUSAND: Final = 1000.0
_PREFIXES: Final = ("", "k", "M", "G", "T", "P")


@dataclass(frozen=True, slots=True)
class Line:
    """``arithmetic`` names numbers with their meaning; ``note`` is what a reader must know before believing the value."""

    part: str
    what: str
    value: float
    unit: str
    arithmetic: str
    note: str = ""

    @property
    def figure(self) -> str:
        """Value and unit, formatted."""
        return f"{figure(self.value)} {self.unit}".strip()


@dataclass
class Sheet:
    """Lines in the order in which they were counted."""

    lines: list[Line] = field(default_factory=list)

    def put(self, part: str, what: str, value: float, unit: str, arithmetic: str, *, note: str = "") -> float:
        """Adds a line; gives its value, for the lines that follow."""
        self.lines.append(Line(part, what, value, unit, arithmetic, note))
        return value

    def value(self, what: str) -> float:
        """A line's value. Raises StopIteration if there is none of that name."""
        return next(line.value for line in self.lines if line.what == what)

    def notes(self) -> list[str]:
        return [line.note for line in self.lines if line.note]


def figure(value: float) -> str:
    """Three significant digits, whole numbers up to 9,999 as they are: 840k, 12.3M, 7."""
    if value == int(value) and abs(value) < 10_000:
        return f"{int(value):,}"
    scaled, step = float(value), 0
    # from here on three digits would round up to a thousand
    while abs(scaled) >= _THOUSAND - 0.5 and step < len(_PREFIXES) - 1:
        scaled, step = scaled / _THOUSAND, step + 1
    return f"{scaled:.3g}{_PREFIXES[step]}"
