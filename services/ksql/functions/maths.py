"""Numbers. A double that is no number comes out as NaN, as in Java, never as an error."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from services.ksql.functions.definitions import scalar
from services.ksql.functions.numbers import round_half_up, round_to_places, wrap_int, wrap_long

_KIND = "MATHEMATICAL"


def _total(function: Callable[..., float]) -> Callable[..., float]:
    """``function`` with Java's answers where Python's raises."""

    def call(*args: float) -> float:
        try:
            return function(*args)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return call


def _double(name: str, function: Callable[[float], float], description: str) -> None:
    total = _total(function)

    def call(value: float) -> float:
        return total(value)

    call.__doc__ = description
    scalar(name, "DOUBLE -> DOUBLE", category=_KIND)(call)


_double("ACOS", math.acos, "The arc cosine, in radians.")
_double("ASIN", math.asin, "The arc sine, in radians.")
_double("ATAN", math.atan, "The arc tangent, in radians.")
_double("CBRT", math.cbrt, "The cube root.")
_double("COS", math.cos, "The cosine of an angle in radians.")
_double("COSH", math.cosh, "The hyperbolic cosine.")
_double("COT", lambda x: 1 / math.tan(x) if math.tan(x) else math.inf, "The cotangent of an angle in radians.")
_double("DEGREES", math.degrees, "Radians as degrees.")
_double("RADIANS", math.radians, "Degrees as radians.")
_double("SIN", math.sin, "The sine of an angle in radians.")
_double("SINH", math.sinh, "The hyperbolic sine.")
_double("SQRT", math.sqrt, "The square root.")
_double("TAN", math.tan, "The tangent of an angle in radians.")
_double("TANH", math.tanh, "The hyperbolic tangent.")


@scalar("EXP", "INTEGER -> DOUBLE", "BIGINT -> DOUBLE", "DOUBLE -> DOUBLE", category=_KIND)
def exp(exponent: float) -> float:
    """e raised to a power."""
    return _total(math.exp)(exponent)


@scalar("LN", "INTEGER -> DOUBLE", "BIGINT -> DOUBLE", "DOUBLE -> DOUBLE", category=_KIND)
def ln(value: float) -> float:
    """The natural logarithm."""
    return -math.inf if value == 0 else _total(math.log)(value)


@scalar("LOG", "DOUBLE -> DOUBLE", category=_KIND)
def log(value: float) -> float:
    """The natural logarithm."""
    return ln(value)


@scalar("LOG", "DOUBLE, DOUBLE -> DOUBLE", category=_KIND)
def log_base(base: float, value: float) -> float:
    """The logarithm of ``value`` to ``base``."""
    if base <= 0 or base == 1 or value < 0:
        return math.nan
    return ln(value) / math.log(base)


@scalar("ATAN2", "DOUBLE, DOUBLE -> DOUBLE", category=_KIND)
def atan2(y: float, x: float) -> float:
    """The angle of a point, in radians."""
    return math.atan2(y, x)


@scalar("POWER", "DOUBLE, DOUBLE -> DOUBLE", category=_KIND)
def power(base: float, exponent: float) -> float:
    """A number raised to a power."""
    return _total(math.pow)(base, exponent)


@scalar("PI", "-> DOUBLE", category=_KIND)
def pi() -> float:
    """The ratio of a circle's circumference to its diameter."""
    return math.pi


@scalar("RANDOM", "-> DOUBLE", category=_KIND)
def random_number() -> float:
    """A random number from 0.0 (included) to 1.0 (not included)."""
    return random.random()  # noqa: S311 - what RANDOM is for


@scalar("ABS", "INTEGER -> INTEGER", category=_KIND)
def absolute_int(val: int) -> int:
    """The number without its sign."""
    return wrap_int(abs(val))


@scalar("ABS", "BIGINT -> BIGINT", category=_KIND)
def absolute_long(val: int) -> int:
    """The number without its sign."""
    return wrap_long(abs(val))


@scalar("ABS", "DOUBLE -> DOUBLE", category=_KIND)
def absolute_double(val: float) -> float:
    """The number without its sign."""
    return abs(val)


@scalar("CEIL", "INTEGER -> INTEGER", "BIGINT -> BIGINT", category=_KIND)
@scalar("FLOOR", "INTEGER -> INTEGER", "BIGINT -> BIGINT", category=_KIND)
def whole(val: int) -> int:
    """The nearest whole number not below (CEIL) or not above (FLOOR)."""
    return val


@scalar("CEIL", "DOUBLE -> DOUBLE", category=_KIND)
def ceil(val: float) -> float:
    """The nearest whole number that is not less."""
    return float(math.ceil(val)) if math.isfinite(val) else val


@scalar("FLOOR", "DOUBLE -> DOUBLE", category=_KIND)
def floor(val: float) -> float:
    """The nearest whole number that is not greater."""
    return float(math.floor(val)) if math.isfinite(val) else val


@scalar("ROUND", "DOUBLE -> BIGINT", "BIGINT -> BIGINT", "INTEGER -> INTEGER", category=_KIND)
def round_whole(val: float) -> int:
    """The nearest whole number; halves go up."""
    return val if isinstance(val, int) else round_half_up(val)


@scalar("ROUND", "DOUBLE, INTEGER -> DOUBLE", category=_KIND)
def round_places(val: float, decimalPlaces: int) -> float:  # noqa: N803 - the name that ksqlDB shows
    """The nearest number of so many decimal places; halves go up."""
    return round_to_places(val, decimalPlaces)


@scalar("TRUNC", "DOUBLE -> BIGINT", "BIGINT -> BIGINT", "INTEGER -> INTEGER", category=_KIND)
def truncate(val: float) -> int:
    """The number without its decimal places."""
    return wrap_long(int(val))


@scalar("TRUNC", "DOUBLE, INTEGER -> DOUBLE", category=_KIND)
def truncate_places(val: float, decimalPlaces: int) -> float:  # noqa: N803 - the name that ksqlDB shows
    """The number cut to so many decimal places."""
    shift = 10.0**decimalPlaces
    return math.trunc(val * shift) / shift


@scalar("SIGN", "INTEGER -> INTEGER", "BIGINT -> INTEGER", "DOUBLE -> INTEGER", category=_KIND)
def sign(val: Any) -> int:
    """-1, 0 or 1."""
    return int(val > 0) - int(val < 0)


@scalar("GEO_DISTANCE", "DOUBLE, DOUBLE, DOUBLE, DOUBLE -> DOUBLE", category=_KIND)
@scalar("GEO_DISTANCE", "DOUBLE, DOUBLE, DOUBLE, DOUBLE, STRING -> DOUBLE", category=_KIND)
def geo_distance(lat1: float, lon1: float, lat2: float, lon2: float, units: str = "KM") -> float:
    """The great-circle distance of two points in degrees, in kilometres or (units 'MI...') miles."""
    radius = 3959.0 if units.upper().startswith("MI") else 6371.0
    d_lat, d_lon = math.radians(lat2 - lat1), math.radians(lon2 - lon1)
    a = math.sin(d_lat / 2) ** 2 + math.sin(d_lon / 2) ** 2 * math.cos(math.radians(lat1)) * math.cos(
        math.radians(lat2)
    )
    return 2 * math.asin(math.sqrt(a)) * radius
