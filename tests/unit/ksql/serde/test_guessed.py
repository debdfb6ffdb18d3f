"""The formats that PRINT guesses."""

from __future__ import annotations

import struct

import pytest

from services.ksql.model.schema import WindowType
from services.ksql.serde.base import append_window
from services.ksql.serde.guessed import GuessedFormat

_WINDOW = (1_760_000_040_000, 1_760_000_100_000)
_START, _END = _WINDOW


@pytest.mark.parametrize(
    ("key", "shown", "names"),
    [
        (b"a", "a", "KAFKA_STRING"),
        (struct.pack(">i", 7), "7", "KAFKA_INT or KAFKA_STRING"),
        (struct.pack(">i", -7), "-7", "KAFKA_INT"),
        (struct.pack(">q", -5), "-5", "KAFKA_BIGINT or KAFKA_DOUBLE"),
        (b'{"a": 1}', '{"a": 1}', "JSON or KAFKA_BIGINT or KAFKA_DOUBLE or KAFKA_STRING"),
        (b"", "", ""),
        (b"\xff\\", "\\xFF\\x5C", ""),
        (
            append_window(b"src_1", _WINDOW, WindowType.TUMBLING),
            f"[src_1@{_START}/-]",
            "HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING)",
        ),
        (
            append_window(b"facebook.com/about", _WINDOW, WindowType.HOPPING),
            f"[facebook.com/about@{_START}/-]",
            "HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING)",
        ),
        (append_window(b"src_1", _WINDOW, WindowType.SESSION), f"[src_1@{_START}/{_END}]", "SESSION(KAFKA_STRING)"),
        (
            append_window(struct.pack(">i", -7), _WINDOW, WindowType.TUMBLING),
            f"[-7@{_START}/-]",
            "HOPPING(KAFKA_INT) or TUMBLING(KAFKA_INT)",
        ),
        (
            append_window(struct.pack(">q", -7), _WINDOW, WindowType.SESSION),
            f"[-7@{_START}/{_END}]",
            "SESSION(KAFKA_BIGINT) or SESSION(KAFKA_DOUBLE)",
        ),
    ],
)
def test_a_key(key: bytes, shown: str, names: str) -> None:
    guessed = GuessedFormat(windowed=True)
    assert guessed.show(key) == shown
    assert guessed.names == names or (not names and guessed.names.startswith(" does not match any supported format. "))


def test_each_record_rules_out_what_it_cannot_be() -> None:
    guessed = GuessedFormat(windowed=False)
    assert guessed.names == "¯\\_(ツ)_/¯ - no data processed"
    assert guessed.show(None) == "<null>"
    assert guessed.show(b"1234") == "1234"
    assert guessed.names == "JSON or KAFKA_INT or KAFKA_STRING"
    assert guessed.show(b"{") == "{"
    assert guessed.names == "KAFKA_STRING"
    assert guessed.show("é\n".encode()) == "é\n"
