from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ksql.functions.numbers import java_double
from services.ksql.model.schema import Column, Format
from services.ksql.model.types import BIGINT, BOOLEAN, BYTES, DOUBLE, INTEGER, STRING, TIMESTAMP, SqlType, array_of
from services.ksql.serde.base import DecodeError
from services.ksql.serde.formats import decoder, encoder

JSON = Format("JSON")


def read(kind: SqlType, text: str) -> Any:
    return decoder(JSON, (Column("V", kind),))(f'{{"V":{text}}}'.encode())[0]


def write(kind: SqlType, value: Any) -> str:
    data = encoder(JSON, (Column("V", kind),))((value,))
    assert data is not None
    return data.decode()[5:-1]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (INTEGER, "9.7", 9),
        (INTEGER, "-9.7", -9),
        (INTEGER, "3000000000", -1294967296),
        (INTEGER, '"12"', 12),
        (INTEGER, "1e1", 10),
        (INTEGER, "null", None),
        (BIGINT, '"1760001695000"', 1760001695000),
        (DOUBLE, "1", 1.0),
        (DOUBLE, '"1.5"', 1.5),
        (STRING, "5.50", "5.50"),
        (STRING, "true", "true"),
        (STRING, '[1, "a", null]', "[1, a, null]"),
        (STRING, '{"b": 1, "a": [1, 2]}', '{"b":1,"a":[1,2]}'),
        (BYTES, '"YWI="', b"ab"),
        (TIMESTAMP, "5", 5),
        (array_of(INTEGER), "[1, 2.5, null]", [1, 2, None]),
    ],
)
def test_numbers_are_lenient(kind: SqlType, text: str, expected: Any) -> None:
    got = read(kind, text)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (INTEGER, '"9.7"'),
        (INTEGER, '" 13 "'),
        (INTEGER, '""'),
        (INTEGER, "true"),
        (INTEGER, "[1]"),
        (INTEGER, "NaN"),
        (BOOLEAN, "1"),
        (BOOLEAN, '"true"'),
        (DOUBLE, '"x"'),
        (BYTES, '"?"'),
    ],
)
def test_texts_are_not(kind: SqlType, text: str) -> None:
    with pytest.raises(DecodeError):
        read(kind, text)


def test_names_match_in_any_case_and_the_upper_one_wins() -> None:
    decode = decoder(JSON, (Column("SOURCE", STRING), Column("age", INTEGER)))
    assert decode(b'{"Source":"a","AGE":1}') == ("a", 1)
    assert decode(b'{"source":"low","SOURCE":"up","age":2}') == ("up", 2)
    assert decode(b'{"SOURCE":"up","source":"low"}') == ("up", None)
    assert decode(b'{"source":"first","source":"second"}') == ("second", None)


@pytest.mark.parametrize("text", [b'{"V":1} tail', b'{"V":1}{"V":2}', b'  {"V":1 }\n'])
def test_what_follows_the_first_value_is_ignored(text: bytes) -> None:
    assert decoder(JSON, (Column("V", INTEGER),))(text) == (1,)


@pytest.mark.parametrize("text", [b"null", b"", b"[1]", b"5", b'"x"', b"not json", b'{"V":', b"{'V':1}"])
def test_what_is_no_object_is_an_error(text: bytes) -> None:
    with pytest.raises(DecodeError):
        decoder(JSON, (Column("V", INTEGER),))(text)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (STRING, "ป้าย 🚀 ñ", '"ป้าย \\uD83D\\uDE80 ñ"'),
        (STRING, 'q"\n\x1f\\u001f', '"q\\"\\n\\u001F\\\\u001f"'),
        (DOUBLE, 40.0, "40.0"),
        (DOUBLE, 1e7, "1.0E7"),
        (DOUBLE, -12345678.9, "-1.23456789E7"),
        (DOUBLE, 0.0005, "5.0E-4"),
        (DOUBLE, float("nan"), '"NaN"'),
        (DOUBLE, 0.0, "0.0"),
        (BYTES, b"ab", '"YWI="'),
        (array_of(DOUBLE), [1e10, None], "[1.0E10,null]"),
        (INTEGER, None, "null"),
    ],
)
def test_output_is_as_the_real_server_writes_it(kind: SqlType, value: Any, expected: str) -> None:
    assert write(kind, value) == expected


@given(st.floats(allow_nan=False))
def test_java_doubles_read_back(value: float) -> None:
    assert float(java_double(value).replace("Infinity", "inf")) == value


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_row_reads_back(text: str, number: int, double: float) -> None:
    columns = (Column("A", STRING), Column("b", INTEGER), Column("C", DOUBLE))
    data = encoder(JSON, columns)((text, number, double))
    assert data is not None
    assert decoder(JSON, columns)(data) == (text, number, double)
    assert list(json.loads(data)) == ["A", "b", "C"]


def test_keys() -> None:
    one, two = (Column("A", STRING),), (Column("A", STRING), Column("B", INTEGER))
    assert encoder(JSON, one, is_key=True)(("x",)) == b'"x"'
    assert encoder(JSON, one, is_key=True)((None,)) is None
    assert encoder(JSON, two, is_key=True)(("x", 1)) == b'{"A":"x","B":1}'
    assert encoder(JSON, two, is_key=True)((None, None)) is None
    assert encoder(JSON, two, is_key=True, keep_nulls=True)((None, None)) == b'{"A":null,"B":null}'
    assert decoder(JSON, one, is_key=True)(b'"x"') == ("x",)
