from __future__ import annotations

import math
from typing import Any

import pytest

from services.ksql.errors import FunctionError
from services.ksql.functions.registry import exists, is_aggregate, list_functions, resolve_scalar
from services.ksql.model.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    INTEGER,
    STRING,
    TIME,
    TIMESTAMP,
    UNIT,
    SqlType,
)

_TYPES = {bool: BOOLEAN, int: INTEGER, float: DOUBLE, str: STRING, bytes: BYTES, type(None): None}


def call(name: str, *args: Any, types: list[SqlType | None] | None = None) -> Any:
    return resolve_scalar(name, types or [_TYPES[type(a)] for a in args]).invoke(*args)


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("UCASE", ("aé",), "AÉ"),
        ("LCASE", (None,), None),
        ("LEN", ("a🚀",), 3),
        ("TRIM", (" \t a b\n",), "a b"),
        ("CONCAT", ("a", None, "b"), "ab"),
        ("CONCAT_WS", ("-", "a", None, "b"), "a-b"),
        ("SUBSTRING", ("some_string", 6, 3), "str"),
        ("SUBSTRING", ("short", 6), ""),
        ("SUBSTRING", ("some_string", 0, 2), "so"),
        ("SUBSTRING", ("some_string", -6, 3), "str"),
        ("SUBSTRING", ("a", None), None),
        ("REPLACE", ("foobar", "o", "0"), "f00bar"),
        ("INITCAP", ("the quick\tBROWN fox",), "The Quick\tBrown Fox"),
        ("LPAD", ("foo", 7, "Bar"), "BarBfoo"),
        ("LPAD", ("foobar", 3, "x"), "foo"),
        ("RPAD", ("foo", 7, "Bar"), "fooBarB"),
        ("RPAD", ("foo", 7, ""), None),
        ("INSTR", ("CORPORATE FLOOR", "OR"), 2),
        ("INSTR", ("CORPORATE FLOOR", "OR", 3), 5),
        ("INSTR", ("CORPORATE FLOOR", "OR", 3, 2), 14),
        ("INSTR", ("CORPORATE FLOOR", "OR", -3), 5),
        ("INSTR", ("CORPORATE FLOOR", "ABC"), 0),
        ("CHR", (75,), "K"),
        ("CHR", ("\\u004b",), "K"),
        ("FIELD", ("b", "a", "b"), 2),
        ("FIELD", (None, "a"), 0),
        ("SPLIT", ("a.b.", "."), ["a", "b", ""]),
        ("REGEXP_EXTRACT", ("(\\w+) (\\w+)", "one two", 2), "two"),
        ("REGEXP_REPLACE", ("aab", "(a+)", "<$1>"), "<aa>b"),
        ("MASK", ("My Test $123",), "Xx-Xxxx--nnn"),
        ("MASK_KEEP_LEFT", ("Test", 2), "Texx"),
        ("MASK_RIGHT", ("Test", 2), "Texx"),
        ("ENCODE", ("abc", "utf8", "hex"), "616263"),
        ("TO_BYTES", ("YWJj", "base64"), b"abc"),
        ("FROM_BYTES", (b"\x0f", "hex"), "0F"),
        ("ABS", (-5,), 5),
        ("CEIL", (1.2,), 2.0),
        ("FLOOR", (-1.2,), -2.0),
        ("ROUND", (-1.5,), -1),
        ("ROUND", (1.5,), 2),
        ("ROUND", (-12345.678, -2), -12300.0),
        ("SIGN", (-0.5,), -1),
        ("SQRT", (16.0,), 4.0),
        ("LN", (1.0,), 0.0),
        ("COALESCE", (None, None, 3), 3),
        ("IFNULL", (None, "x"), "x"),
        ("NULLIF", (1, 1), None),
        ("GREATEST", (1, None, 3), 3),
        ("LEAST", ("b", "a"), "a"),
        ("EXTRACTJSONFIELD", ('{"a":{"b":[1,{"c":"x"}]}}', "$.a.b[1].c"), "x"),
        ("EXTRACTJSONFIELD", ('{"a":{"b":2}}', "$.a"), '{"b":2}'),
        ("EXTRACTJSONFIELD", ("{}", "$.a"), None),
        ("IS_JSON_STRING", ("[1",), False),
        ("JSON_ARRAY_LENGTH", ("[1,2]",), 2),
        ("URL_EXTRACT_PARAMETER", ("http://x.y/z?a=1&b=2", "b"), "2"),
        ("URL_EXTRACT_PORT", ("http://x.y:80/",), 80),
        ("URL_EXTRACT_HOST", ("http://x.y:80/",), "x.y"),
    ],
)
def test_a_function_gives(name: str, args: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *args) == expected


def test_a_number_that_is_none_is_nan() -> None:
    assert math.isnan(call("SQRT", -1.0))
    assert call("LN", 0.0) == -math.inf


_AT = 1526075913123


@pytest.mark.parametrize(
    ("name", "args", "types", "expected"),
    [
        ("FORMAT_TIMESTAMP", (_AT, "yyyy-MM-dd'T'HH:mm:ss.SSSX"), [TIMESTAMP, STRING], "2018-05-11T21:58:33.123Z"),
        (
            "FORMAT_TIMESTAMP",
            (_AT, "EEE d MMM yy h:mm a zzz", "America/Los_Angeles"),
            [TIMESTAMP, STRING, STRING],
            "Fri 11 May 18 2:58 PM PDT",
        ),
        ("TIMESTAMPTOSTRING", (_AT, "yyyyMMdd"), [BIGINT, STRING], "20180511"),
        ("PARSE_TIMESTAMP", ("2018-05-11 21:58:33.123", "yyyy-MM-dd HH:mm:ss.SSS"), [STRING, STRING], _AT),
        (
            "STRINGTOTIMESTAMP",
            ("2018-05-11 23:58:33.123", "yyyy-MM-dd HH:mm:ss.SSS", "Europe/Berlin"),
            [STRING, STRING, STRING],
            _AT,
        ),
        ("PARSE_DATE", ("1970-01-11", "yyyy-MM-dd"), [STRING, STRING], 10),
        ("FORMAT_DATE", (10, "dd.MM.yyyy"), [DATE, STRING], "11.01.1970"),
        ("PARSE_TIME", ("01:02:03", "HH:mm:ss"), [STRING, STRING], 3_723_000),
        ("FORMAT_TIME", (3_723_000, "HH:mm:ss"), [TIME, STRING], "01:02:03"),
        ("TIMESTAMPADD", ("MONTHS", 1, 0), [UNIT, INTEGER, TIMESTAMP], 31 * 86_400_000),
        ("DATESUB", ("DAYS", 3, 10), [UNIT, INTEGER, DATE], 7),
        ("TIMEADD", ("HOURS", 2, 23 * 3_600_000), [UNIT, INTEGER, TIME], 3_600_000),
        ("CONVERT_TZ", (0, "UTC", "Europe/Berlin"), [TIMESTAMP, STRING, STRING], 3_600_000),
        ("FROM_UNIXTIME", (5,), [BIGINT], 5),
    ],
)
def test_dates_and_times(name: str, args: tuple[Any, ...], types: list[SqlType | None], expected: Any) -> None:
    assert call(name, *args, types=types) == expected


def test_numbers_are_widened_and_nothing_else_is() -> None:
    assert resolve_scalar("SQRT", [INTEGER]).parameter_types == (DOUBLE,)
    assert resolve_scalar("COALESCE", [INTEGER, BIGINT]).return_type == BIGINT
    assert resolve_scalar("ABS", [INTEGER]).return_type == INTEGER
    with pytest.raises(FunctionError, match=r"Function 'ucase' does not accept parameters \(INTEGER\)\."):
        resolve_scalar("UCASE", [INTEGER])


def test_an_unknown_name() -> None:
    assert not exists("NOPE")
    with pytest.raises(FunctionError, match="Can't find any functions with the name 'NOPE'"):
        resolve_scalar("NOPE", [])


def test_the_list_has_both_kinds() -> None:
    found = {f.name: f for f in list_functions()}
    assert found["COUNT"].type == "AGGREGATE"
    assert found["UCASE"].type == "SCALAR"
    assert is_aggregate("count")
    assert all(f.signatures and f.description for f in found.values())
