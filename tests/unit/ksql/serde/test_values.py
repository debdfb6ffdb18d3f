"""Numbers and texts of JSON and DELIMITED records, as Jackson and Java read them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from services.ksql.functions.json import dumps, loads
from services.ksql.model.schema import Column, Format
from services.ksql.model.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, STRING, SqlType, array_of
from services.ksql.serde.base import DecodeError
from services.ksql.serde.formats import decoder, encoder, many_decoder

JSON = Format("JSON")
_LONG = "123456789012345678901234567890"


def read(kind: SqlType, text: str) -> Any:
    """The value in each of the ways in which it can be read: they must agree."""
    column = (Column("V", kind),)
    data = f'{{"V":{text}}}'.encode()
    value = decoder(JSON, column)(data)[0]
    assert same(decoder(JSON, column, is_key=True)(text.encode())[0], value)
    many = many_decoder(JSON, column)
    assert many is not None
    together = many([data, data])
    assert together is None or same(list(together[0])[1], value)
    return value


def same(one: Any, other: Any) -> bool:
    return (
        repr(one) == repr(other)
        or (isinstance(one, float) and math.isnan(one) and math.isnan(other))
        or bool(one == other)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42.000", "42.000"),
        ("12.50", "12.50"),
        ("12.5", "12.5"),
        ("-0.0", "0.0"),
        ("-0", "0"),
        ("-0.50", "-0.50"),
        (_LONG, _LONG),
        (f"-{_LONG}", f"-{_LONG}"),
        (f"{_LONG}.10", f"{_LONG}.10"),
        ("18446744073709551616", "18446744073709551616"),
        ("1e3", "1E+3"),
        ("1.0E2", "1.0E+2"),
        ("100E-2", "1.00"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1E-7"),
        ("0e5", "0E+5"),
        ("1e400", "1E+400"),
        ('[1.50, 2e2, "a", null, [0.10], true]', "[1.50, 2E+2, a, null, [0.10], true]"),
        ('{"a":1.50,"b":[1e2],"c":"\\u001f\\"é"}', '{"a":1.50,"b":[1E+2],"c":"\\u001F\\"é"}'),
    ],
)
def test_a_number_read_as_text_keeps_its_digits(text: str, expected: str) -> None:
    assert read(STRING, text) == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (BIGINT, "9007199254740993.0", 9007199254740993),
        (BIGINT, "9223372036854775807.9", 9223372036854775807),
        (BIGINT, "9223372036854775808", -9223372036854775808),
        (BIGINT, "-9007199254740993.99", -9007199254740993),
        (BIGINT, "9.007199254740993e15", 9007199254740993),
        (BIGINT, _LONG, int(_LONG) - ((int(_LONG) + 2**63) // 2**64) * 2**64),
        (BIGINT, "1e400", 0),
        (BIGINT, "1e-400", 0),
        (BIGINT, "1e2147483646", 0),
        (INTEGER, "4294967297.9", 1),
        (INTEGER, "1e20", 1661992960),
        (INTEGER, '"\\u0661\\u0662\\u0663"', 123),
        (INTEGER, '"+7"', 7),
        (INTEGER, '"-\\uff11"', -1),
        (BIGINT, '"\\u0969"', 3),
        (DOUBLE, "-0.0", 0.0),
        (DOUBLE, "1e400", math.inf),
        (DOUBLE, _LONG, 1.2345678901234568e29),
        (DOUBLE, "1" + "0" * 400, math.inf),
        (DOUBLE, '" 1.5 "', 1.5),
        (DOUBLE, '"0x1.8p1"', 3.0),
        (DOUBLE, '"1d"', 1.0),
        (DOUBLE, '"-0"', -0.0),
        (DOUBLE, '"NaN"', math.nan),
        (array_of(STRING), "[1.50, 2]", ["1.50", "2"]),
        (array_of(BIGINT), "[9007199254740993.0]", [9007199254740993]),
    ],
)
def test_numbers_are_exact(kind: SqlType, text: str, expected: Any) -> None:
    assert same(read(kind, text), expected)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (INTEGER, '"1_000"'),
        (INTEGER, '" 12"'),
        (INTEGER, '"12 "'),
        (INTEGER, '"\\ud835\\udfcf"'),
        (INTEGER, '"\\u00b2"'),
        (INTEGER, '"+"'),
        (INTEGER, '"2147483648"'),
        (BIGINT, '"1e3"'),
        (DOUBLE, '"1_0.5"'),
        (DOUBLE, '"nan"'),
        (DOUBLE, '"inf"'),
        (DOUBLE, '"\\u0661.5"'),
        (DOUBLE, '"0x1.8"'),
        (STRING, "1e99999999999"),
        (STRING, "9" * 1001),
        (INTEGER, "0." + "1" * 1001),
        (STRING, "[" * 1001 + "]" * 1001),
        (BOOLEAN, "1"),
    ],
)
def test_what_java_refuses_is_refused(kind: SqlType, text: str) -> None:
    with pytest.raises(DecodeError):
        decoder(JSON, (Column("V", kind),))(f'{{"V":{text}}}'.encode())


def test_a_limit_holds_for_fields_that_are_not_read() -> None:
    decode = decoder(JSON, (Column("V", INTEGER),))
    assert decode(b'{"V":1,"x":' + b"9" * 1000 + b"}") == (1,)
    for other in (b"9" * 1001, b"1." + b"0" * 1000, b"[" * 1000 + b"]" * 1000, b'{"' + b"n" * 50_001 + b'":1}'):
        with pytest.raises(DecodeError):
            decode(b'{"V":1,"x":' + other + b"}")
        many = many_decoder(JSON, (Column("V", INTEGER),))
        assert many is not None
        assert many([b'{"V":1,"x":' + other + b"}"] * 2) is None


def test_half_of_a_surrogate_pair_is_a_question_mark() -> None:
    assert read(STRING, '"src_\\ud83e"') == "src_?"
    assert read(STRING, '"\\udd84\\ud83e\\udd84"') == "?\U0001f984"
    assert read(STRING, '["\\ud83e", {"a": "\\ud83e"}]') == '[?, {"a":"?"}]'
    for form in (JSON, Format("KAFKA"), Format("DELIMITED", ",")):
        data = encoder(form, (Column("V", STRING),))(("a\ud83e",))
        assert data is not None
        assert b"a?" in data


def test_bytes_that_are_not_utf8_are_refused_before_the_end_of_the_value_only() -> None:
    decode = decoder(JSON, (Column("V", STRING),))
    assert decode(b'{"V":"a"}\xff') == ("a",)
    assert decode(b'\xef\xbb\xbf{"V":"a"}') == ("a",)
    with pytest.raises(DecodeError):
        decode(b'{"V":"\xff"}')


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (INTEGER, "١٢", 12),
        (BIGINT, "+5", 5),
        (DOUBLE, "1f", 1.0),
        (DOUBLE, " 2 ", 2.0),
        (INTEGER, "1_0", None),
        (INTEGER, " 1", None),
        (DOUBLE, "inf", None),
    ],
)
def test_delimited_numbers(kind: SqlType, text: str, expected: Any) -> None:
    decode = decoder(Format("DELIMITED", ","), (Column("V", kind),))
    if expected is None:
        with pytest.raises(DecodeError):
            decode(text.encode())
    else:
        assert decode(text.encode()) == (expected,)


def test_json_is_written_as_it_was_read() -> None:
    text = '{"a":[1.50,1E+3,true,null,"\\t\\u0001\\\\x"],"b":{"c":0.10}}'
    assert dumps(loads(text)) == text
    assert json.loads(text) is not None
