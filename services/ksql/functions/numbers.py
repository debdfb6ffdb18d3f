"""Java's numbers in Python: whole numbers of 32 and 64 bits wrap round, division goes towards zero; texts as Java reads and
writes them (1.0E10 where Python writes 10000000000.0).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


_DECIMAL_TEXT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_HEX_TEXT = re.compile(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+", re.ASCII)
_NAMED = re.compile(r"([+-]?)(NaN|Infinity)")
_BLANKS = "".join(map(chr, range(33)))
#: a BigDecimal's scale has 32 bits
_MAX_SCALE = 2**31 - 1


def trim(text: str) -> str:
    """Without the blanks and control characters at both ends that String.trim removes."""
    return text.strip(_BLANKS)


def parse_whole(text: str, bits: int) -> int:
    """A whole number as Integer.parseInt (32 bits) and Long.parseLong (64) read it: a sign and decimal digits of any script.

    Raises:
        ValueError: it is none, or too large.
    """
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits.isascii():
        # a character is 16 bits there: digits beyond U+FFFF are none
        digits = "".join(str(unicodedata.decimal(c, "x")) if c <= "\uffff" else "x" for c in digits)
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f'For input string: "{text}"')
    # beyond any bound, and nothing that Python would refuse to read
    number = int(digits) if len(digits) < 4000 else int(digits.lstrip("0")[:40] or "0")
    number = -number if text[0] == "-" else number
    bound = 1 << (bits - 1)
    if not -bound <= number < bound:
        raise ValueError(f'For input string: "{text}"')
    return number


def parse_double(text: str) -> float:
    """A double as Double.parseDouble reads it: blanks around it, hexadecimal ones, NaN, Infinity, an f or d at the end.

    Raises:
        ValueError: it is none.
    """
    trimmed = trim(text)
    if named := _NAMED.fullmatch(trimmed):
        value = math.nan if named[2] == "NaN" else math.inf
        return -value if named[1] == "-" else value
    number = trimmed[:-1] if trimmed[-1:] in tuple("dDfF") else trimmed
    if _DECIMAL_TEXT.fullmatch(number):
        return float(number)
    if _HEX_TEXT.fullmatch(number):
        try:
            return float.fromhex(number)
        except OverflowError:
            return -math.inf if number[0] == "-" else math.inf
    raise ValueError(f'For input string: "{text}"')


def parse_decimal(text: str) -> Decimal:
    """A JSON number with a fraction or exponent, exactly, as BigDecimal has it: there is no negative zero.

    Raises:
        ValueError: its exponent is beyond those of a BigDecimal.
    """
    digits = text.lower().partition("e")[2].lstrip("+-0")
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"Exponent out of range: {text[:40]}") from error
    exponent = value.as_tuple().exponent
    if len(digits) > 10 or int(digits or 0) > _MAX_SCALE or not -_MAX_SCALE <= int(exponent) <= _MAX_SCALE + 1:
        raise ValueError(f"Exponent out of range: {text[:40]}")
    return value or value.copy_abs()


def whole_of(value: Decimal, bits: int) -> int:
    """The lowest bits of a decimal cut towards zero, as BigDecimal.intValue and longValue give them."""
    if value.adjusted() < 0:
        return 0
    exponent = value.as_tuple().exponent
    # 10^64 and more are multiples of 2^64
    number = 0 if isinstance(exponent, int) and exponent >= 64 else int(value)
    return wrap_int(number) if bits == 32 else wrap_long(number)


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


#: exact, or an error: no DECIMAL has so many digits
_EXACT = Context(prec=2_000, traps=[InvalidOperation, DivisionByZero, Overflow])
ROUNDINGS = {
    "half_up": ROUND_HALF_UP,
    "half_down": ROUND_HALF_DOWN,
    "down": ROUND_DOWN,
    "floor": ROUND_FLOOR,
    "ceiling": ROUND_CEILING,
}


def with_scale(value: Decimal, scale: int, rounding: str = "half_up") -> Decimal:
    """``value`` with so many digits after the point."""
    return value.quantize(Decimal(1).scaleb(-scale), rounding=ROUNDINGS[rounding], context=_EXACT)


def _decimal(value: int | float | Decimal | str) -> Decimal:
    """The number, as BigDecimal reads a text and takes a double."""
    if isinstance(value, str) and not _DECIMAL_TEXT.fullmatch(value):
        raise InvalidOperation
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def to_decimal(value: int | float | Decimal | str, precision: int, scale: int) -> Decimal:
    """The number as a DECIMAL(precision, scale), halves rounded away from zero.

    Raises:
        ValueError: it is no number, or too large.
    """
    try:
        made = with_scale(_decimal(value), scale)
    except InvalidOperation as error:
        raise ValueError(f"Not a DECIMAL: {str(value)[:40]}") from error
    return fitting(made, precision, scale)


def exact_decimal(value: int | Decimal | str, precision: int, scale: int) -> Decimal:
    """The number as a DECIMAL(precision, scale) without rounding.

    Raises:
        ValueError: it is no number, too large, or has more digits.
    """
    try:
        made = _exactly(_decimal(value), Decimal(1).scaleb(-scale))
    except Inexact as error:
        raise ValueError(
            f"Cannot fit decimal '{value}' into DECIMAL({precision}, {scale}) without rounding."
        ) from error
    except InvalidOperation as error:
        raise ValueError(f"Not a DECIMAL: {str(value)[:40]}") from error
    return fitting(made, precision, scale)


def fitting(value: Decimal, precision: int, scale: int) -> Decimal:
    """``value``, or ValueError where it has more digits before the point than a DECIMAL(precision, scale)."""
    if value and value.adjusted() >= precision - scale:
        raise ValueError(
            f"Numeric field overflow: A field with precision {precision} and scale {scale} must round to an absolute value "
            f"less than 10^{precision - scale}. Got {decimal_text(value)}"
        )
    return value or value.copy_abs()


def decimal_text(value: Decimal) -> str:
    """As BigDecimal.toPlainString writes it."""
    return f"{value:f}"


def decimal_operation(op: str, precision: int, scale: int) -> Callable[[Decimal, Decimal], Decimal]:
    """An arithmetic operation as BigDecimal does it in a MathContext that must not round: the result is exact, or there is none
    (ArithmeticError), as for 1 / 3."""
    context = Context(prec=precision, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
    step = Decimal(1).scaleb(-scale)

    def operate(left: Decimal, right: Decimal) -> Decimal:
        match op:
            case "+":
                made = context.add(left, right)
            case "-":
                made = context.subtract(left, right)
            case "*":
                made = context.multiply(left, right)
            case "/":
                made = context.divide(left, right)
            case _:
                quotient = str(int(_EXACT.divide_int(left, right))).lstrip("-").rstrip("0")
                if len(quotient) > precision:
                    raise ArithmeticError("the whole quotient has more digits than the result")
                made = _EXACT.remainder(left, right)
        made = _EXACT.quantize(made, step) if made == 0 else _exactly(made, step)
        return made or made.copy_abs()

    return operate


_NO_ROUNDING = Context(prec=2_000, traps=[InvalidOperation, Inexact])


def _exactly(value: Decimal, step: Decimal) -> Decimal:
    return value.quantize(step, context=_NO_ROUNDING)
