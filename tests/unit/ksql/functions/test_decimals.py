"""DECIMAL as a JVM has it, against what one answered (``tests/data/decimal/Decimals.java`` made the file)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from services.ksql.functions.numbers import (
    decimal_operation,
    decimal_text,
    exact_decimal,
    to_decimal,
    whole_of,
    with_scale,
)

_RECORDED = Path(__file__).parents[3] / "data" / "decimal" / "decimals.tsv"


def _arithmetic(op: str, left: str, right: str, precision: str, scale: str) -> str:
    return decimal_text(decimal_operation(op, int(precision), int(scale))(Decimal(left), Decimal(right)))


_ANSWERS: dict[str, Callable[..., object]] = {
    "arithmetic": _arithmetic,
    "half_up": lambda text, places: decimal_text(_without_minus_zero(with_scale(Decimal(text), int(places)))),
    "int": lambda text: whole_of(Decimal(text), 32),
    "long": lambda text: whole_of(Decimal(text), 64),
    "double": float,
    "text": lambda text: _without_minus_zero(Decimal(text)),
    "parse": lambda text: _trimmed(to_decimal(text, 40, 20)),
}


def _without_minus_zero(value: Decimal) -> Decimal:
    return value or value.copy_abs()


def _trimmed(value: Decimal) -> Decimal:
    return value.normalize()


def test_every_recorded_answer() -> None:
    found = []
    for line in _RECORDED.read_text(encoding="utf-8").splitlines():
        kind, *arguments, expected = line.split("\t")
        try:
            answer = str(_ANSWERS[kind](*arguments))
        except (ArithmeticError, ValueError):
            answer = "!"
        same = answer == expected
        if "!" not in (answer, expected) and kind in ("double", "parse"):
            same = Decimal(answer) == Decimal(expected)
        if not same:
            found.append(f"{kind} {arguments}: {answer}, a JVM says {expected}")
    assert found == []


def test_what_does_not_fit_is_an_error() -> None:
    assert exact_decimal("1.50", 3, 1) == Decimal("1.5")
    with pytest.raises(ValueError, match="without rounding"):
        exact_decimal("1.55", 3, 1)
    with pytest.raises(ValueError, match="Numeric field overflow"):
        to_decimal("99.95", 3, 1)
    assert str(to_decimal(0.125, 4, 2)) == "0.13"
