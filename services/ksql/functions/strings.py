"""Texts: case, length, parts, padding, joining; patterns, splitting, masking."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from typing import Any, AnyStr

from services.ksql.functions.definitions import scalar

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


def _joined(separator: AnyStr, parts: Iterable[AnyStr | None]) -> AnyStr:
    """Raises ValueError for a text that is too long."""
    joined = separator.join(part for part in parts if part is not None)
    must_fit(len(joined))
    return joined


@scalar("CONCAT", "STRING... -> STRING", category=_KIND, nulls=True)
def concat(*inputs: str | None) -> str:
    """All texts joined; NULLs are left out."""
    # in a REDUCE each step may join the result of the one before it to itself
    return _joined("", inputs)


@scalar("CONCAT", "BYTES... -> BYTES", category=_KIND, nulls=True)
def concat_bytes(*inputs: bytes | None) -> bytes:
    """All bytes joined; NULLs are left out."""
    return _joined(b"", inputs)


@scalar("CONCAT_WS", "STRING, STRING... -> STRING", category=_KIND, nulls=True)
def concat_ws(separator: str | None, *inputs: str | None) -> str | None:
    """All texts joined with a separator; NULLs are left out."""
    return None if separator is None else _joined(separator, inputs)


@scalar("CONCAT_WS", "BYTES, BYTES... -> BYTES", category=_KIND, nulls=True)
def concat_ws_bytes(separator: bytes | None, *inputs: bytes | None) -> bytes | None:
    """All bytes joined with a separator; NULLs are left out."""
    return None if separator is None else _joined(separator, inputs)


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


def _pad(size: int, padding: Any, width: int) -> Any:
    if not padding or size < 0:
        return None
    must_fit(size)
    return (padding * (max(width, 0) // len(padding) + 1))[: max(width, 0)]


@scalar("LPAD", "STRING, INTEGER, STRING -> STRING", "BYTES, INTEGER, BYTES -> BYTES", category=_KIND)
def lpad(input: Any, targetLen: int, padding: Any) -> Any:  # noqa: A002, N803
    """The text filled up on the left, or cut, to a length."""
    fill = _pad(targetLen, padding, targetLen - len(input))
    return None if fill is None else (fill + input)[:targetLen] if len(input) <= targetLen else input[:targetLen]


@scalar("RPAD", "STRING, INTEGER, STRING -> STRING", "BYTES, INTEGER, BYTES -> BYTES", category=_KIND)
def rpad(input: Any, targetLen: int, padding: Any) -> Any:  # noqa: A002, N803
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


@scalar("REGEXP_EXTRACT", "STRING, STRING -> STRING", category="REGULAR EXPRESSION")
@scalar("REGEXP_EXTRACT", "STRING, STRING, INTEGER -> STRING", category="REGULAR EXPRESSION")
def regexp_extract(pattern: str, str: str, group: int = 0) -> str | None:  # noqa: A002
    """The first part of a text that matches a pattern, or a group of it."""
    found = re.search(pattern, str)
    return found.group(group) if found and group <= (found.re.groups) else None


@scalar("REGEXP_EXTRACT_ALL", "STRING, STRING -> ARRAY<STRING>", category="REGULAR EXPRESSION")
@scalar("REGEXP_EXTRACT_ALL", "STRING, STRING, INTEGER -> ARRAY<STRING>", category="REGULAR EXPRESSION")
def regexp_extract_all(pattern: str, str: str, group: int = 0) -> list[str | None] | None:  # noqa: A002
    """All parts of a text that match a pattern, or a group of them."""
    compiled = re.compile(pattern)
    return [m.group(group) for m in compiled.finditer(str)] if group <= compiled.groups else None


@scalar("REGEXP_REPLACE", "STRING, STRING, STRING -> STRING", category="REGULAR EXPRESSION")
def regexp_replace(str: str, regexp: str, newStr: str) -> str:  # noqa: A002, N803
    """The text with every match exchanged; $1 in the new text is the first group."""
    pattern, template = re.compile(regexp), re.sub(r"\$(\d+)", r"\\\1", newStr.replace("\\", "\\\\"))
    if (len(str) + 1) * (len(template) + 1) > LONGEST:
        size = len(str)
        for found in pattern.finditer(str):
            size += len(found.expand(template)) - len(found[0])
            must_fit(size)
    return pattern.sub(template, str)


@scalar("REGEXP_SPLIT_TO_ARRAY", "STRING, STRING -> ARRAY<STRING>", category="REGULAR EXPRESSION")
def regexp_split(str: str, regexp: str) -> list[str]:  # noqa: A002
    """The parts of a text between the matches of a pattern; empty parts at the end, and before a first empty match, are left out."""
    parts, start = [], 0
    for found in re.finditer(regexp, str):
        if found.end() == 0:
            continue
        parts.append(str[start : found.start()])
        start = found.end()
    parts.append(str[start:])
    while len(parts) > 1 and parts[-1] == "" and start:
        parts.pop()
    return parts


@scalar("SPLIT", "STRING, STRING -> ARRAY<STRING>", category=_KIND)
def split(str: str, delimiter: str) -> list[str]:  # noqa: A002
    """The parts of a text between delimiters; an empty delimiter gives single characters."""
    return str.split(delimiter) if delimiter else list(str) or [""]


@scalar("SPLIT", "BYTES, BYTES -> ARRAY<BYTES>", category=_KIND)
def split_bytes(bytes: bytes, delimiter: bytes) -> list[bytes]:  # noqa: A002
    """The parts of bytes between delimiters; an empty delimiter gives single bytes."""
    return bytes.split(delimiter) if delimiter else [bytes[i : i + 1] for i in range(len(bytes))] or [b""]


@scalar("FIELD", "STRING, STRING... -> INTEGER", category=_KIND, nulls=True)
def field(str: str | None, *args: str | None) -> int:  # noqa: A002
    """The position (from 1) of the first argument among the others, 0 if absent."""
    return args.index(str) + 1 if str is not None and str in args else 0


def _mask(text: str, masks: tuple[str | None, ...]) -> str:
    chosen = masks or ("X", "x", "n", "-")

    def one(char: str) -> str:
        kind = 0 if char.isupper() else 1 if char.islower() else 2 if char.isdigit() else 3
        return (chosen[kind] or char)[0]

    return "".join(map(one, text))


@scalar("MASK", "STRING -> STRING", "STRING, STRING, STRING, STRING, STRING -> STRING", category=_KIND, nulls=True)
def mask(input: str | None, *masks: str | None) -> str | None:  # noqa: A002
    """The text with upper-case letters, lower-case letters, digits and others exchanged for X, x, n, -."""
    return None if input is None else _mask(input, masks)


def _count(text: str, count: int) -> int:
    if count < 0:
        raise ValueError(f"a number of characters cannot be negative: {count}")
    return min(count, len(text))


_PART = ("STRING, INTEGER -> STRING", "STRING, INTEGER, STRING, STRING, STRING, STRING -> STRING")


@scalar("MASK_LEFT", *_PART, category=_KIND, nulls=True)
def mask_left(input: str | None, num: int, *masks: str | None) -> str | None:  # noqa: A002
    """The text with its first characters masked."""
    if input is None:
        return None
    cut = _count(input, num)
    return _mask(input[:cut], masks) + input[cut:]


@scalar("MASK_RIGHT", *_PART, category=_KIND, nulls=True)
def mask_right(input: str | None, num: int, *masks: str | None) -> str | None:  # noqa: A002
    """The text with its last characters masked."""
    if input is None:
        return None
    cut = len(input) - _count(input, num)
    return input[:cut] + _mask(input[cut:], masks)


@scalar("MASK_KEEP_LEFT", *_PART, category=_KIND, nulls=True)
def mask_keep_left(input: str | None, num: int, *masks: str | None) -> str | None:  # noqa: A002
    """The text masked but for its first characters."""
    if input is None:
        return None
    cut = _count(input, num)
    return input[:cut] + _mask(input[cut:], masks)


@scalar("MASK_KEEP_RIGHT", *_PART, category=_KIND, nulls=True)
def mask_keep_right(input: str | None, num: int, *masks: str | None) -> str | None:  # noqa: A002
    """The text masked but for its last characters."""
    if input is None:
        return None
    cut = len(input) - _count(input, num)
    return _mask(input[:cut], masks) + input[cut:]
