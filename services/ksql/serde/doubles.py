"""Doubles as Java writes them: 1.0E10 and 1.0E-5 where Python writes 10000000000.0 and 1e-05."""

from __future__ import annotations

import math
from decimal import Decimal

_LEAST = 5e-324


def java_double(value: float) -> str:
    """``value`` as Double.toString gives it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    size = abs(value)
    if size == _LEAST:  # Java shows two digits of it, although one would do
        return "4.9E-324" if value > 0 else "-4.9E-324"
    if size == 0 or 1e-3 <= size < 1e7:
        return repr(value)
    sign, digits, _ = Decimal(repr(value)).as_tuple()
    kept = "".join(map(str, digits)).rstrip("0") or "0"
    return f"{'-' if sign else ''}{kept[0]}.{kept[1:] or '0'}E{Decimal(repr(value)).adjusted()}"
