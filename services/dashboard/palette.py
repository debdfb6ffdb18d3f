"""Every colour that carries a meaning, in one place. Distinct for the three common forms of colour blindness
(tests/unit/dashboard/test_palette.py measures it) and readable on the light and the dark background."""

from __future__ import annotations

from typing import Final

#: a source has the same colour on every chart
SOURCES: Final = {"Homepage": "#2a6ebb", "Inbox": "#e69f00", "External": "#22b08c"}
DEVICES: Final = {"Mobile": "#8a5fbf", "Desktop": "#3f93a8", "Tablet": "#d9775f"}
OTHER: Final = "#8a94a3"
#: for lines that have no colour of their own, in order
LINES: Final = ("#2a6ebb", "#e69f00", "#22b08c", "#9e4c83", "#e4445e")
ACCENT: Final = "#2f74c0"

#: states of the pipeline and of the generator; each is also told in words and by a sign
STATES: Final = {"good": "#1a9d6c", "warn": "#d9930d", "bad": "#d1493f", "idle": "#8a94a3"}

#: low to high, for the map; low is near the background of each theme
SCALE_LIGHT: Final = ("#cfe2f5", "#9dc3e6", "#5f9bd3", "#2f74c0", "#17457a")
SCALE_DARK: Final = ("#24466b", "#2c6096", "#3a7cbd", "#6ba6dc", "#b5d6f3")
NO_DATA_LIGHT: Final = "#eceef1"
NO_DATA_DARK: Final = "#262d37"


def source(name: str) -> str:
    """The colour of a source of page views."""
    return SOURCES.get(name, OTHER)


def device(name: str) -> str:
    """The colour of a device."""
    return DEVICES.get(name, OTHER)


def scale(dark: bool) -> list[list[float | str]]:
    """A sequential plotly colour scale for the present theme."""
    colours = SCALE_DARK if dark else SCALE_LIGHT
    return [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]


def no_data(dark: bool) -> str:
    """The colour of a country about which nothing is known."""
    return NO_DATA_DARK if dark else NO_DATA_LIGHT
