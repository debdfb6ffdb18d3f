"""A line chart as SVG, for the documentation: no browser, no dependency, readable on a light and a dark page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

_WIDTH: Final = 760
_HEIGHT: Final = 320
#: margins
_LEFT: Final = 70
_RIGHT: Final = 20
_TOP: Final = 44
_BOTTOM: Final = 50
_COLOURS: Final = ("#8a8a8a", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
_GRID_LINES: Final = 5
#: of one name in the legend, which is on the right and leaves space for the label of the axis
_LEGEND: Final = 130

Points = Sequence[tuple[float, float]]


def line_chart(title: str, x_label: str, y_label: str, lines: Mapping[str, Points]) -> str:
    """One polyline per entry of ``lines`` (six at most); both axes begin at 0."""
    x_max = max(x for points in lines.values() for x, _ in points)
    y_max = _round_up(max(y for points in lines.values() for _, y in points))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="14" fill="#222222">{escape(title)}</text>',
    ]
    for step in range(_GRID_LINES + 1):
        share = step / _GRID_LINES
        y = _y(share * y_max, y_max)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{share * y_max:,.0f}", "end"))
        parts.append(_text(_x(share * x_max, x_max), _HEIGHT - _BOTTOM + 18, f"{share * x_max:,.0f}", "middle"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, x_label, "middle"))
    parts.append(_text(_LEFT - 8, 34, y_label, "end"))
    width = min(_LEGEND, (_WIDTH - _RIGHT - _LEFT) / len(lines))
    for (name, points), colour, place in zip(lines.items(), _COLOURS, range(len(lines)), strict=False):
        path = " ".join(f"{_x(x, x_max):.1f},{_y(y, y_max):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = _WIDTH - _RIGHT - width * (len(lines) - place)
        parts.append(f'<rect x="{at:g}" y="26" width="14" height="4" fill="{colour}"/>')
        parts.append(_text(at + 20, 33, name, "start"))
    return "\n".join([*parts, "</svg>", ""])


def _round_up(value: float) -> float:
    """The next number with one or two digits that the grid divides evenly."""
    unit = 10.0 ** math.floor(math.log10(value)) / 2
    return math.ceil(value / unit) * unit


def _x(value: float, most: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / most


def _y(value: float, most: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / most


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#444444">{escape(text)}</text>'
