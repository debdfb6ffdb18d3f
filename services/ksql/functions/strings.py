"""Texts: case, length, parts, padding, joining."""

from __future__ import annotations

import re
import uuid

from services.ksql.functions.scalar import scalar

_KIND = "STRING"
#: characters of a text that a function makes longer than it was: more than Kafka takes in a record
LONGEST = 4 * 1024 * 1024


def must_fit(size: int) -> None:
    """Raises ValueError, so that the text is NULL, for one that would take the memory up."""
    if size > LONGEST:
        raise ValueError(f"a text of {size} characters")


@scalar("UCASE", "STRING -> STRING", category=_KIND)
def ucase(input: str) -> str:  # noqa: A002 - the name that ksqlDB shows
    """The text in upper case."""
    return input.upper()


@scalar("LCASE", "STRING -> STRING", category=_KIND)
def lcase(input: str) -> str:  # noqa: A002
    """The text in lower case."""
    return input.lower()


@scalar("LEN", "STRING -> INTEGER", category=_KIND)
def length(input: str) -> int:  # noqa: A002
    """The number of characters, in UTF-16 units."""
    return len(input) if input.isascii() else len(input.encode("utf-16-be", "surrogatepass")) // 2


@scalar("LEN", "BYTES -> INTEGER", category=_KIND)
def length_of_bytes(input: bytes) -> int:  # noqa: A002
    """The number of bytes."""
    return len(input)


@scalar("TRIM", "STRING -> STRING", category=_KIND)
def trim(input: str) -> str:  # noqa: A002
    """The text without white space and control characters at both ends."""
    return input.strip("".join(map(chr, range(33))))


@scalar("CONCAT", "STRING... -> STRING", category=_KIND, nulls=True)
def concat(*inputs: str | None) -> str:
    """All texts joined; NULLs are left out."""
    return "".join(t for t in inputs if t is not None)


@scalar("CONCAT", "BYTES... -> BYTES", category=_KIND, nulls=True)
def concat_bytes(*inputs: bytes | None) -> bytes:
    """All bytes joined; NULLs are left out."""
    return b"".join(t for t in inputs if t is not None)


@scalar("CONCAT_WS", "STRING, STRING... -> STRING", category=_KIND, nulls=True)
def concat_ws(separator: str | None, *inputs: str | None) -> str | None:
    """All texts joined with a separator; NULLs are left out."""
    return None if separator is None else separator.join(t for t in inputs if t is not None)


@scalar("SUBSTRING", "STRING, INTEGER -> STRING", "STRING, INTEGER, INTEGER -> STRING", category=_KIND)
@scalar("SUBSTRING", "BYTES, INTEGER -> BYTES", "BYTES, INTEGER, INTEGER -> BYTES", category=_KIND)
def substring(str: str | bytes, pos: int, length: int | None = None) -> str | bytes:  # noqa: A002
    """The part from position ``pos`` (1 is the first, negative counts from the end), at most ``length`` long."""
    size = len(str)
    start = min(pos - 1, size) if pos > 0 else (0 if pos == 0 else max(size + pos, 0))
    end = size if length is None else min(max(start + length, start), size)
    return str[start:end]


@scalar("REPLACE", "STRING, STRING, STRING -> STRING", category=_KIND)
def replace(str: str, oldStr: str, newStr: str) -> str:  # noqa: A002, N803
    """The text with every ``oldStr`` exchanged for ``newStr``."""
    must_fit(len(str) + str.count(oldStr) * (len(newStr) - len(oldStr)))
    return str.replace(oldStr, newStr)


@scalar("INITCAP", "STRING -> STRING", category=_KIND)
def initcap(str: str) -> str:  # noqa: A002
    """The first letter of each word in upper case, the others in lower case."""
    return re.sub(r"(^|\s)(\S)", lambda m: m[1] + m[2].upper(), str.lower())


def _pad(size: int, padding: str, room: int) -> str | None:
    if not padding or size < 0:
        return None
    must_fit(size)
    return (padding * (max(room, 0) // len(padding) + 1))[: max(room, 0)]


@scalar("LPAD", "STRING, INTEGER, STRING -> STRING", category=_KIND)
def lpad(input: str, targetLen: int, padding: str) -> str | None:  # noqa: A002, N803
    """The text filled up on the left, or cut, to a length."""
    fill = _pad(targetLen, padding, targetLen - len(input))
    return None if fill is None else (fill + input)[:targetLen] if len(input) <= targetLen else input[:targetLen]


@scalar("RPAD", "STRING, INTEGER, STRING -> STRING", category=_KIND)
def rpad(input: str, targetLen: int, padding: str) -> str | None:  # noqa: A002, N803
    """The text filled up on the right, or cut, to a length."""
    fill = _pad(targetLen, padding, targetLen - len(input))
    return None if fill is None else (input + fill)[:targetLen]


@scalar("INSTR", "STRING, STRING -> INTEGER", "STRING, STRING, INTEGER -> INTEGER", category=_KIND)
@scalar("INSTR", "STRING, STRING, INTEGER, INTEGER -> INTEGER", category=_KIND)
def instr(str: str, substring: str, pos: int = 1, occurrence: int = 1) -> int:  # noqa: A002
    """The position (from 1) of a text in another, 0 if absent; a negative ``pos`` searches from the end."""
    found = -1
    if pos < 0:
        end = len(str) + pos + 1 + len(substring) - 1
        for _ in range(occurrence):
            found = str.rfind(substring, 0, end) if end >= 0 else -1
            if found < 0:
                return 0
            end = found + len(substring) - 1
        return found + 1
    start = max(pos - 1, 0)
    for _ in range(occurrence):
        found = str.find(substring, start)
        if found < 0:
            return 0
        start = found + 1
    return found + 1


@scalar("CHR", "INTEGER -> STRING", category=_KIND)
def character(decimalCode: int) -> str:  # noqa: N803
    """The character of a code point."""
    return chr(decimalCode)


@scalar("CHR", "STRING -> STRING", category=_KIND)
def character_of_escape(utf16Code: str) -> str | None:  # noqa: N803
    """The characters of \\uXXXX escapes."""
    if not re.fullmatch(r"(\\u[0-9a-fA-F]{4})+", utf16Code):
        return None
    return bytes.fromhex(utf16Code.replace("\\u", "")).decode("utf-16-be")


@scalar("UUID", "-> STRING", category=_KIND)
def random_uuid() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


@scalar("UUID", "BYTES -> STRING", category=_KIND)
def uuid_of_bytes(bytes: bytes) -> str | None:  # noqa: A002
    """The UUID of 16 bytes."""
    return str(uuid.UUID(bytes=bytes)) if len(bytes) == 16 else None
