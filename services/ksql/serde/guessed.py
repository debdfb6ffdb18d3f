"""The format of bytes without a declared one, for PRINT: guessed as ksqlDB does, from all keys or values so far."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from services.ksql.functions.json import loads
from services.ksql.functions.numbers import java_double

_NO_DATA = "¯\\_(ツ)_/¯ - no data processed"
_UNKNOWN = (
    " does not match any supported format. It may be a STRING with encoding other than UTF8, or some other format."
)
#: the year 2200: eight bytes of text are a later time than any window's
_LATEST_WINDOW_MS = 7_258_118_400_000
_PLAIN_BYTES = frozenset(b" `~!@#$%^&*()-_=+[]{}|;:'\",.<>/?") | frozenset(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

#: bytes to text; ValueError or struct.error where they are of another format
Read = Callable[[bytes], str]


def _string(data: bytes) -> str:
    text = data.decode()
    if not text or "\ufffd" in text:
        raise ValueError("no text")
    return text


def _json(data: bytes) -> str:
    text = _string(data)
    loads(text)
    return text


def _number(form: str, show: Callable[[float], str]) -> Read:
    return lambda data: show(struct.unpack(form, data)[0])


def _time(data: bytes) -> int:
    (millis,) = struct.unpack(">q", data)
    if not 0 <= millis <= _LATEST_WINDOW_MS:
        raise ValueError("no time")
    return int(millis)


def _session(inner: Read) -> Read:
    def read(data: bytes) -> str:
        end, start = _time(data[-16:-8]), _time(data[-8:])
        if end < start:
            raise ValueError("no window")
        return f"[{inner(data[:-16])}@{start}/{end}]"

    return read


def _time_window(inner: Read) -> Read:
    return lambda data: f"[{inner(data[:-8])}@{_time(data[-8:])}/-]"


_FORMATS: dict[str, Read] = {
    "JSON": _json,
    "KAFKA_INT": _number(">i", str),
    "KAFKA_BIGINT": _number(">q", str),
    "KAFKA_DOUBLE": _number(">d", java_double),
    "KAFKA_STRING": _string,
}


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    read: Read


def _candidates(*, windowed: bool) -> list[_Candidate]:
    found = []
    for name, read in _FORMATS.items():
        if windowed:
            found.append(_Candidate(f"SESSION({name})", _session(read)))
            found += [_Candidate(f"{kind}({name})", _time_window(read)) for kind in ("HOPPING", "TUMBLING")]
        found.append(_Candidate(name, read))
    return found


class GuessedFormat:
    """What keys (``windowed``) or values may be. Each that is shown rules out what it cannot be."""

    def __init__(self, *, windowed: bool) -> None:
        self._possible = _candidates(windowed=windowed)
        self._seen = False

    @property
    def names(self) -> str:
        """The formats that are left, as PRINT names them."""
        if not self._seen:
            return _NO_DATA
        return " or ".join(candidate.name for candidate in self._possible) or _UNKNOWN

    def show(self, data: bytes | None) -> str:
        """The bytes as text, in the first format that is left."""
        if data is None:
            return "<null>"
        self._seen = True
        left, shown = [], []
        for candidate in self._possible:
            try:
                shown.append(candidate.read(data))
            except (ValueError, struct.error):
                continue
            left.append(candidate)
        self._possible = left
        return shown[0] if shown else "".join(chr(b) if b in _PLAIN_BYTES else f"\\x{b:02X}" for b in data)
