"""Texts: patterns, splitting, masking, encodings."""

from __future__ import annotations

import base64
import re

from services.ksql.functions.scalar import scalar
from services.ksql.functions.strings import LONGEST, must_fit

_KIND = "STRING"


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
    """The parts of a text between the matches of a pattern."""
    return re.split(regexp, str)


@scalar("SPLIT", "STRING, STRING -> ARRAY<STRING>", category=_KIND)
def split(str: str, delimiter: str) -> list[str]:  # noqa: A002
    """The parts of a text between delimiters; an empty delimiter gives single characters."""
    return str.split(delimiter) if delimiter else list(str)


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


def _known(encoding: str) -> str:
    name = encoding.lower()
    if name not in ("hex", "utf8", "ascii", "base64"):
        raise ValueError(f"Supported input and output encodings are: hex, utf8, ascii and base64, not {encoding}")
    return name


@scalar("TO_BYTES", "STRING, STRING -> BYTES", category=_KIND)
def to_bytes(value: str, inputEncoding: str) -> bytes:  # noqa: N803
    """The bytes of a text in hex, utf8, ascii or base64."""
    encoding = _known(inputEncoding)
    if encoding == "hex":
        return bytes.fromhex(value.removeprefix("0x").removeprefix("X'").removesuffix("'"))
    return (
        base64.b64decode(value) if encoding == "base64" else value.encode("ascii" if encoding == "ascii" else "utf-8")
    )


@scalar("FROM_BYTES", "BYTES, STRING -> STRING", category=_KIND)
def from_bytes(value: bytes, outputEncoding: str) -> str:  # noqa: N803
    """Bytes as text in hex, utf8, ascii or base64."""
    encoding = _known(outputEncoding)
    if encoding == "hex":
        return value.hex().upper()
    if encoding == "base64":
        return base64.b64encode(value).decode()
    return value.decode("ascii" if encoding == "ascii" else "utf-8")


@scalar("ENCODE", "STRING, STRING, STRING -> STRING", category=_KIND)
def encode(str: str, inputEncoding: str, outputEncoding: str) -> str:  # noqa: A002, N803
    """The text in another encoding: hex, utf8, ascii or base64."""
    out = from_bytes(to_bytes(str, inputEncoding), outputEncoding)
    return out.lower() if outputEncoding.lower() == "hex" else out
