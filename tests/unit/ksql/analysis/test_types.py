from decimal import Decimal

import pytest

from services.ksql.analysis.expressions import (
    can_cast,
    common_for_arithmetic,
    common_for_comparison,
    parse_boolean,
    parse_number,
)
from services.ksql.model.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    INTEGER,
    STRING,
    TIMESTAMP,
    SqlType,
    array_of,
    decimal_of,
)


@pytest.mark.parametrize(
    ("op", "left", "right", "common"),
    [
        ("=", INTEGER, BIGINT, BIGINT),
        ("<", DOUBLE, INTEGER, DOUBLE),
        ("=", STRING, STRING, STRING),
        ("=", STRING, INTEGER, None),
        ("=", BOOLEAN, BOOLEAN, BOOLEAN),
        ("<", BOOLEAN, BOOLEAN, None),
        (">", STRING, TIMESTAMP, TIMESTAMP),
        ("=", DATE, TIMESTAMP, TIMESTAMP),
        ("<", array_of(STRING), array_of(STRING), None),
    ],
)
def test_what_can_be_compared(op: str, left: SqlType, right: SqlType, common: SqlType | None) -> None:
    assert common_for_comparison(op, left, right) == common


def test_plus_joins_texts_and_nothing_else_does() -> None:
    assert common_for_arithmetic("+", STRING, STRING) == STRING
    assert common_for_arithmetic("-", STRING, STRING) is None
    assert common_for_arithmetic("+", STRING, INTEGER) is None
    assert common_for_arithmetic("*", INTEGER, None) is None


def test_casts() -> None:
    assert can_cast(BOOLEAN, STRING)
    assert can_cast(STRING, DATE)
    assert can_cast(DOUBLE, INTEGER)
    assert not can_cast(BOOLEAN, INTEGER)
    assert not can_cast(STRING, BYTES)
    assert not can_cast(INTEGER, TIMESTAMP)


@pytest.mark.parametrize(
    ("text", "value"), [("t", True), ("YES", True), ("f", False), ("No", False), ("maybe", None), ("", None)]
)
def test_texts_as_booleans(text: str, value: bool | None) -> None:
    assert parse_boolean(text) is value


def test_texts_as_numbers_take_the_smallest_type() -> None:
    assert parse_number("12") == (12, INTEGER)
    assert parse_number("3000000000") == (3_000_000_000, BIGINT)
    assert parse_number("1.5") == (Decimal("1.5"), decimal_of(2, 1))
    assert parse_number("15e-1") == (1.5, DOUBLE)
    assert parse_number("x") is None
