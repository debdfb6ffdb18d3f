"""Texts and numbers as bytes and back, in the encodings that SQL can name; checksums."""

from __future__ import annotations

import base64
import hashlib
import struct

from services.ksql.functions.definitions import scalar

_KIND = "STRING"


def _known(encoding: str) -> str:
    name = encoding.lower()
    if name not in ("hex", "utf8", "ascii", "base64"):
        raise ValueError(f"Supported input and output encodings are: hex, utf8, ascii and base64, not {encoding}")
    return name


def _hex_digits(text: str) -> str:
    """The digits of 4f, 0x4f, x'4f' and X'4f'; after 0x the first one may be missing."""
    if text[:2] in ("0x", "0X"):
        return text[2:] if len(text) % 2 == 0 else f"0{text[2:]}"
    return text[2:-1] if text[:2] in ("x'", "X'") and text.endswith("'") and len(text) > 2 else text


@scalar("TO_BYTES", "STRING, STRING -> BYTES", category=_KIND)
def to_bytes(value: str, inputEncoding: str) -> bytes:  # noqa: N803 - the name that ksqlDB shows
    """The bytes of a text in hex, utf8, ascii or base64."""
    match _known(inputEncoding):
        case "hex":
            return bytes.fromhex(_hex_digits(value))
        case "base64":
            return base64.b64decode(value, validate=True)
        case "ascii":
            return value.encode("ascii", "replace")
    return value.encode("utf-8", "replace")


@scalar("FROM_BYTES", "BYTES, STRING -> STRING", category=_KIND)
def from_bytes(value: bytes, outputEncoding: str) -> str:  # noqa: N803
    """Bytes as text in hex, utf8, ascii or base64."""
    match _known(outputEncoding):
        case "hex":
            return value.hex().upper()
        case "base64":
            return base64.b64encode(value).decode()
        case "ascii":
            return "".join(chr(byte) if byte < 128 else "\ufffd" for byte in value)
    return value.decode("utf-8", "replace")


@scalar("ENCODE", "STRING, STRING, STRING -> STRING", category=_KIND)
def encode(str: str, inputEncoding: str, outputEncoding: str) -> str:  # noqa: A002, N803
    """The text in another encoding: hex, utf8, ascii or base64."""
    out = from_bytes(to_bytes(str, inputEncoding), outputEncoding)
    return out.lower() if outputEncoding.lower() == "hex" else out


def _unpacked(value: bytes, kind: str, order: str) -> int | float:
    sign = {"BIG_ENDIAN": ">", "LITTLE_ENDIAN": "<"}[order.upper()]
    number: int | float = struct.unpack(sign + kind, value)[0]
    return number


@scalar("INT_FROM_BYTES", "BYTES -> INTEGER", "BYTES, STRING -> INTEGER", category=_KIND)
def int_from_bytes(value: bytes, byteOrder: str = "BIG_ENDIAN") -> int | float:  # noqa: N803
    """The whole number in four bytes, BIG_ENDIAN or LITTLE_ENDIAN."""
    return _unpacked(value, "i", byteOrder)


@scalar("BIGINT_FROM_BYTES", "BYTES -> BIGINT", "BYTES, STRING -> BIGINT", category=_KIND)
def bigint_from_bytes(value: bytes, byteOrder: str = "BIG_ENDIAN") -> int | float:  # noqa: N803
    """The whole number in eight bytes, BIG_ENDIAN or LITTLE_ENDIAN."""
    return _unpacked(value, "q", byteOrder)


@scalar("DOUBLE_FROM_BYTES", "BYTES -> DOUBLE", "BYTES, STRING -> DOUBLE", category=_KIND)
def double_from_bytes(value: bytes, byteOrder: str = "BIG_ENDIAN") -> int | float:  # noqa: N803
    """The double in eight bytes, BIG_ENDIAN or LITTLE_ENDIAN."""
    return _unpacked(value, "d", byteOrder)


@scalar("MD5", "STRING -> STRING", category=_KIND)
def md5(s: str) -> str:
    """The MD5 checksum of a text, as hexadecimal digits."""
    return hashlib.md5(s.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
