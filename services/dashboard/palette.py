"""Every colour that carries a meaning, in one place. Distinct for the three common forms of colour blindness
(tests/unit/dashboard/test_palette.py measures it) and readable on the light and the dark background."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Final
from zlib import crc32

#: a source has the same colour on every chart
SOURCES: Final = {"Homepage": "#2a6ebb", "Inbox": "#e69f00", "External": "#22b08c"}
DEVICES: Final = {"Mobile": "#8a5fbf", "Desktop": "#3f93a8", "Tablet": "#d9775f"}
OTHER: Final = "#8a94a3"
KNOWN: Final[Mapping[str, Mapping[str, str]]] = {"source": SOURCES, "device": DEVICES}
#: for values that have no colour by name; the first five everybody can distinguish, and no chart needs more than TOP of them
MORE: Final = (
    "#9e4c83",
    "#e4445e",
    "#6f7d1c",
    "#4fa3e0",
    "#b5651d",
    "#7a6ff0",
    "#c2a500",
    "#d06fb3",
    "#0f7d8c",
    "#5b8c3a",
)
LINES: Final = ("#2a6ebb", "#e69f00", "#22b08c", "#9e4c83", "#e4445e")
ACCENT: Final = "#2f74c0"

#: states of the pipeline and of the generator; each also has words and a sign
STATES: Final = {"good": "#1a9d6c", "warn": "#d9930d", "bad": "#d1493f", "idle": "#8a94a3"}

#: low to high, for the map; low is near the background of each theme
SCALE_LIGHT: Final = ("#cfe2f5", "#9dc3e6", "#5f9bd3", "#2f74c0", "#17457a")
SCALE_DARK: Final = ("#24466b", "#2c6096", "#3a7cbd", "#6ba6dc", "#b5d6f3")
NO_DATA_LIGHT: Final = "#eceef1"
NO_DATA_DARK: Final = "#262d37"


class _Colours:
    """Colours of the values that have none by name. A value keeps the one it got for as long as this process lives: the one that its text
    points to, or else the next that is free. When all are taken, values share them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._of: dict[tuple[str, str], str] = {}

    def of(self, dimension: str, value: str) -> str:
        with self._lock:
            known = self._of.get((dimension, value))
            if known is not None:
                return known
            taken = {colour for (other, _), colour in self._of.items() if other == dimension}
            first = crc32(value.encode(errors="replace")) % len(MORE)
            turned = (*MORE[first:], *MORE[:first])
            free = [colour for colour in turned if colour not in taken]
            if free:
                self._of[dimension, value] = free[0]
            return free[0] if free else turned[0]


_COLOURS: Final = _Colours()


def colour(dimension: str, value: str) -> str:
    """The colour of a value of "source", "device" or "country": the same on every chart."""
    return KNOWN.get(dimension, {}).get(value) or _COLOURS.of(dimension, str(value))


def ordered(dimension: str, values: Iterable[str]) -> list[str]:
    """Known values first and always in the same order, then the others as they come."""
    present = list(values)
    known = [value for value in KNOWN.get(dimension, {}) if value in present]
    return known + [value for value in present if value not in known]


def scale(dark: bool) -> list[list[float | str]]:
    """A sequential plotly colour scale for the present theme."""
    colours = SCALE_DARK if dark else SCALE_LIGHT
    return [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]


def no_data(dark: bool) -> str:
    """The colour of a country about which nothing is known."""
    return NO_DATA_DARK if dark else NO_DATA_LIGHT
