from __future__ import annotations

from typing import Any

import pytest

from services.ksql.model.schema import Column, Format, KeyWindow, TimestampColumn, WindowType
from services.ksql.model.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, STRING, SqlType
from services.ksql.serde.base import DecodeError, append_window, extractor, split_window
from services.ksql.serde.formats import decoder, encoder

DELIMITED = Format("DELIMITED")
KAFKA = Format("KAFKA")
ROW = (Column("A", STRING), Column("B", INTEGER), Column("C", DOUBLE), Column("D", BOOLEAN))


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b"a,1,1.5,true", ("a", 1, 1.5, True)),
        (b",,,", (None, None, None, None)),
        (b'"a,""b""",-1,2.0,false', ('a,"b"', -1, 2.0, False)),
    ],
)
def test_delimited_both_ways(line: bytes, row: tuple[Any, ...]) -> None:
    assert decoder(DELIMITED, ROW)(line) == row
    written = encoder(DELIMITED, ROW)(row)
    assert written is not None
    assert decoder(DELIMITED, ROW)(written) == row


@pytest.mark.parametrize("line", [b"a,1", b"a,x,1,true", b"a,1,1,true,5", b'"a,1,1,true', b"a,3000000000,1,true"])
def test_a_line_that_does_not_fit(line: bytes) -> None:
    with pytest.raises(DecodeError):
        decoder(DELIMITED, ROW)(line)


def test_other_delimiters_and_doubles() -> None:
    tab = Format("DELIMITED", delimiter="TAB")
    assert encoder(tab, ROW)(("a", 1, 1e10, None)) == b"a\t1\t1.0E10\t"
    assert encoder(DELIMITED, ROW)(("-a", 1, 1.0, True)) == b'"-a",1,1.0,true'


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        (INTEGER, -5, b"\xff\xff\xff\xfb"),
        (BIGINT, 1, b"\x00\x00\x00\x00\x00\x00\x00\x01"),
        (DOUBLE, 1.0, b"\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        (STRING, "é", "é".encode()),
    ],
)
def test_kafka_primitives(kind: SqlType, value: Any, data: bytes) -> None:
    column = (Column("A", kind),)
    assert encoder(KAFKA, column, is_key=True)((value,)) == data
    assert decoder(KAFKA, column, is_key=True)(data) == (value,)


def test_kafka_numbers_have_their_size() -> None:
    with pytest.raises(DecodeError):
        decoder(KAFKA, (Column("A", INTEGER),), is_key=True)(b"ab")


@pytest.mark.parametrize("name", ["JSON", "DELIMITED", "KAFKA", "NONE"])
def test_a_key_that_is_not_declared_is_not_read(name: str) -> None:
    assert decoder(Format(name), (), is_key=True)(b"anything") == ()
    assert encoder(Format(name), (), is_key=True)(()) is None


def test_windowed_keys() -> None:
    time = append_window(b"External", (1760000040000, 1760000100000), WindowType.TUMBLING)
    assert time.hex() == "45787465726e616c00000199c82d5c40"
    assert split_window(time, KeyWindow(WindowType.TUMBLING, 60_000)) == (b"External", (1760000040000, 1760000100000))
    session = append_window(b"External", (1760000064939, 1760000065379), WindowType.SESSION)
    assert session.hex() == "45787465726e616c00000199c82dbf6300000199c82dbdab"
    assert split_window(session, KeyWindow(WindowType.SESSION)) == (b"External", (1760000064939, 1760000065379))
    with pytest.raises(DecodeError):
        split_window(b"short", KeyWindow(WindowType.SESSION))


def test_event_times() -> None:
    assert extractor(TimestampColumn("T"))(5) == 5
    assert extractor(TimestampColumn("T"))(None) == -1
    assert extractor(TimestampColumn("T", "yyyy-MM-dd"))("1970-01-02") == 86_400_000
    with pytest.raises(ValueError, match="could not be parsed"):
        extractor(TimestampColumn("T", "yyyy-MM-dd"))("x")
