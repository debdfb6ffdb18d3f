"""Numbers. A double that is no number comes out as NaN, as in Java, never as an error."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from services.ksql.functions.definitions import Match, scalar
from services.ksql.functions.numbers import round_half_up, round_to_places, with_scale, wrap_int, wrap_long
from services.ksql.model.types import SqlType, decimal_of

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


@scalar("ABS", "DECIMAL -> DECIMAL", category=_KIND)
def absolute_decimal(val: Decimal) -> Decimal:
    """The number without its sign."""
    return val.copy_abs()


def _scale(value: Decimal) -> int:
    return -int(value.as_tuple().exponent)


@scalar("CEIL", "DECIMAL -> DECIMAL", category=_KIND)
def ceil_decimal(val: Decimal) -> Decimal:
    """The nearest whole number that is not less."""
    return with_scale(with_scale(val, 0, "ceiling"), _scale(val))


@scalar("FLOOR", "DECIMAL -> DECIMAL", category=_KIND)
def floor_decimal(val: Decimal) -> Decimal:
    """The nearest whole number that is not greater."""
    return with_scale(with_scale(val, 0, "floor"), _scale(val))


def _whole_decimal(match: Match) -> SqlType:
    kind = match.parameters[0]
    return decimal_of(max(kind.precision - kind.scale, 1), 0)


@scalar("ROUND", "DECIMAL -> DECIMAL", category=_KIND, returns=_whole_decimal)
def round_decimal(val: Decimal) -> Decimal:
    """The nearest whole number; halves go up."""
    return _half_up(val, 0)


@scalar("ROUND", "DECIMAL, INTEGER -> DECIMAL", category=_KIND)
def round_decimal_places(val: Decimal, decimalPlaces: int) -> Decimal:  # noqa: N803
    """The nearest number of so many decimal places; halves go up."""
    return with_scale(_half_up(val, decimalPlaces), _scale(val))


def _half_up(value: Decimal, places: int) -> Decimal:
    """Rounded towards the greater number where two are as near."""
    return with_scale(value, places) if value >= 0 else -with_scale(-value, places, "half_down")


@scalar("TRUNC", "DECIMAL -> DECIMAL", category=_KIND, returns=_whole_decimal)
def truncate_decimal(val: Decimal) -> Decimal:
    """The number without its decimal places."""
    return with_scale(val, 0, "down")


@scalar("TRUNC", "DECIMAL, INTEGER -> DECIMAL", category=_KIND)
def truncate_decimal_places(val: Decimal, decimalPlaces: int) -> Decimal:  # noqa: N803
    """The number cut to so many decimal places."""
    return with_scale(with_scale(val, decimalPlaces, "down"), _scale(val))


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


@scalar("SIGN", "INTEGER -> INTEGER", "BIGINT -> INTEGER", "DECIMAL -> INTEGER", "DOUBLE -> INTEGER", category=_KIND)
def sign(val: Any) -> int:
    """-1, 0 or 1."""
    return int(val > 0) - int(val < 0)


def _radians(degrees: float) -> float:
    """In the order of operations to which the real server's last digits are due."""
    return degrees / 180 * math.pi


@scalar("GEO_DISTANCE", "DOUBLE, DOUBLE, DOUBLE, DOUBLE -> DOUBLE", category=_KIND)
@scalar("GEO_DISTANCE", "DOUBLE, DOUBLE, DOUBLE, DOUBLE, STRING -> DOUBLE", category=_KIND, nulls=True)
def geo_distance(
    lat1: float | None, lon1: float | None, lat2: float | None, lon2: float | None, units: str | None = "KM"
) -> float | None:
    """The great-circle distance of two points in degrees, in kilometres or (units 'MI...') miles."""
    if lat1 is None or lon1 is None or lat2 is None or lon2 is None:
        return None
    radius = 3959.0 if (units or "").upper().startswith("MI") else 6371.0
    d_lat, d_lon = _radians(lat2 - lat1), _radians(lon2 - lon1)
    across = math.sin(d_lon / 2) ** 2 * math.cos(_radians(lat1)) * math.cos(_radians(lat2))
    return radius * (2 * math.asin(math.sqrt(math.sin(d_lat / 2) ** 2 + across)))
