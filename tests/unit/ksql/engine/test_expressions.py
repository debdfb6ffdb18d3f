"""Compiled expressions: what depends on one text is computed once for it, and what fails is NULL."""

from __future__ import annotations

from typing import Any

import pytest

from services.ksql.engine.expressions import Layout, by_text, compile_one, compile_row
from services.ksql.functions.definitions import ScalarFunction
from services.ksql.functions.registry import resolve_scalar
from services.ksql.model import typed_expressions as ex
from services.ksql.model.types import DOUBLE, INTEGER, STRING, SqlType

_LAYOUT = Layout(("K", "A", "N"), 1)
_A = ex.ColumnRef("A", STRING)
_N = ex.ColumnRef("N", INTEGER)


def _call(name: str, *arguments: ex.Expression) -> ex.TypedCall:
    function = resolve_scalar(name, [a.type for a in arguments])
    return ex.TypedCall(name, function, arguments, function.return_type)


class _Counted:
    """A function of one text that knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, text: str | None) -> str | None:
        self.asked.append(text)
        return None if text is None else text.upper()

    def call(self, returns: SqlType = STRING) -> ex.TypedCall:
        return ex.TypedCall("COUNTED", ScalarFunction("COUNTED", (STRING,), returns, self), (_A,), returns)


def _row(text: str | None) -> tuple[Any, ...]:
    return ("k", text, 1)


def test_a_text_that_comes_again_is_not_computed_again() -> None:
    counted = _Counted()
    value = compile_row([counted.call(), _N], _LAYOUT)
    texts = ["a", "b", "a", None, "b", None, "a"]
    assert [value(_row(text), 0, None) for text in texts] == [(text and text.upper(), 1) for text in texts]
    assert counted.asked == ["a", "b", None]


def test_what_is_remembered_is_bounded() -> None:
    counted = _Counted()
    found = by_text(counted.call(), _LAYOUT)
    assert found is not None
    at, values = found
    assert at == 1
    for number in range(300):
        assert values[f"{number}" + "x" * 20_000] == f"{number}" + "X" * 20_000
        assert sum(len(text or "") + len(value) for text, value in values.items()) <= 1_000_000
    before = len(values)
    assert values["y" * 1_000_000] == "Y" * 1_000_000
    assert len(values) == before


@pytest.mark.parametrize(
    "expression",
    [
        ex.TypedArithmetic("+", _call("RANDOM"), ex.TypedCast(_A, DOUBLE), DOUBLE),
        _call("CONCAT", _A, ex.TypedCast(_N, STRING)),
        _call("CONCAT", _A, ex.TypedCast(ex.ColumnRef("ROWTIME", INTEGER), STRING)),
        _call("SPLIT", _A, ex.TypedLiteral(",", STRING)),
        _call("ABS", _N),
        _A,
    ],
)
def test_what_depends_on_more_than_a_text_is_not_looked_up(expression: ex.Expression) -> None:
    assert by_text(expression, _LAYOUT) is None


@pytest.mark.parametrize("text", ["x", "7", None])
def test_what_fails_is_null(text: str | None) -> None:
    number = ex.TypedCast(_A, INTEGER)
    expected = 7 if text == "7" else None
    assert compile_one(number, _LAYOUT)(_row(text), 0, None) == expected
    assert compile_one(_call("ABS", number), _LAYOUT)(_row(text), 0, None) == expected
    missing = None if text == "x" else text is None
    assert compile_one(ex.TypedIsNull(number), _LAYOUT)(_row(text), 0, None) is missing
    assert compile_row([_N, ex.TypedIsNull(number)], _LAYOUT)(_row(text), 0, None) == (1, missing)
