"""Java's arithmetic in Python: whole numbers of 32 and 64 bits wrap round, division goes towards zero."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


def wrap_int(value: int) -> int:
    """``value`` as a 32-bit two's complement number."""
    return value if _INT_MIN <= value <= _INT_MAX else (value + 2**31) % 2**32 - 2**31


def wrap_long(value: int) -> int:
    """``value`` as a 64-bit two's complement number."""
    return value if _LONG_MIN <= value <= _LONG_MAX else (value + 2**63) % 2**64 - 2**63


def divide_int(left: int, right: int) -> int:
    """Towards zero; raises ZeroDivisionError."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def remainder_int(left: int, right: int) -> int:
    """With the sign of ``left``; raises ZeroDivisionError."""
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def divide_double(left: float, right: float) -> float:
    """IEEE division: by zero gives an infinity or NaN."""
    if right:
        return left / right
    if left == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def remainder_double(left: float, right: float) -> float:
    """IEEE remainder with the sign of ``left``."""
    if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.fmod(left, right)


def to_int(value: float) -> int:
    """A double cut to 32 bits as a Java cast does it: clamped, NaN is 0."""
    return max(_INT_MIN, min(_INT_MAX, _cut(value)))


def to_long(value: float) -> int:
    """A double cut to 64 bits as a Java cast does it: clamped, NaN is 0."""
    return max(_LONG_MIN, min(_LONG_MAX, _cut(value)))


def _cut(value: float) -> int:
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return _LONG_MAX if value > 0 else _LONG_MIN
    return int(value)


def round_half_up(value: float) -> int:
    """Math.round: halves go up, also negative ones (-1.5 becomes -1)."""
    if math.isnan(value) or math.isinf(value):
        return to_long(value)
    return to_long(float(math.floor(Decimal(value) + Decimal("0.5"))))


def round_to_places(value: float, places: int) -> float:
    """Rounds the shortest decimal form of ``value`` to ``places`` digits, halves up (towards the greater number)."""
    if math.isnan(value) or math.isinf(value):
        return value
    step = Decimal(1).scaleb(-places)
    return float(((Decimal(repr(value)) / step) + Decimal("0.5")).to_integral_value(ROUND_FLOOR) * step)
