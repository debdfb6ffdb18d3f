"""Many rows written or read at once are as each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.ksql.model.schema import Column
from services.ksql.model.types import BIGINT, BOOLEAN, DOUBLE, STRING, SqlType
from services.ksql.serde.json import field_names, object_decoder, object_encoder, objects_decoder, objects_encoder

_MANY = 1_000


def columns(*types: SqlType) -> list[Column]:
    return [Column(f"c{number}", kind) for number, kind in enumerate(types)]


@pytest.mark.parametrize(
    ("types", "rows"),
    [
        ((BIGINT, STRING), [(number, f"text {number}") for number in range(_MANY)]),
        (
            (BIGINT, STRING),
            [(number % 3, ("a", None, "\u00fc\U0001f600", "\u0001")[number % 4]) for number in range(_MANY)],
        ),
        ((BOOLEAN, BIGINT), [(number % 2 == 0, number % 2) for number in range(_MANY)]),
        ((DOUBLE,), [((0.0, -0.0, 1e9, float("nan"))[number % 4],) for number in range(_MANY)]),
    ],
)
def test_written_together(types: Sequence[SqlType], rows: list[tuple[Any, ...]]) -> None:
    one, many = object_encoder(columns(*types)), objects_encoder(columns(*types))
    assert many([list(column) for column in zip(*rows, strict=True)]) == [one(row) for row in rows]


def test_a_text_that_cannot_be_written_is_left_to_the_one_by_one_way() -> None:
    assert objects_encoder(columns(STRING))([["a", "\ud800"]]) is None


def test_read_together_if_all_have_the_same_fields_of_the_right_types() -> None:
    wanted = columns(BIGINT, STRING)
    many, one = objects_decoder(wanted, field_names), object_decoder(wanted)
    plain = [b'{"C0": 1, "c1": "x", "more": []}', b'{"c1": null, "C0": 2, "more": 5}']
    found = many(plain)
    assert found is not None
    assert list(zip(*map(list, found), strict=True)) == [one(data) for data in plain]
    for odd in (
        None,
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"C0": 1}',
        b'{"C0": "1", "c1": "x", "more": 1}',
        b'{"c0": 1, "c1": "x", "C0": 2}',
    ):
        assert many([plain[0], odd]) is None
