"""The format of a recording: NDJSON, one event's value per line, plain or compressed by gzip. A line with ``event_timestamp`` is a page
view, one with ``login_timestamp`` a login."""

from __future__ import annotations

import gzip
import zlib
from typing import Any, Final

from shared.errors import Unprocessable
from shared.json import loads

STAMPS: Final = ("event_timestamp", "login_timestamp")
_GZIP: Final = b"\x1f\x8b"


def event_of(value: bytes | None) -> tuple[int, dict[str, Any]] | None:
    """Event time in milliseconds since the epoch, and the event; None if ``value`` is neither a page view nor a login."""
    try:
        event = loads(value or b"")
        stamp = event[next(name for name in STAMPS if name in event)]
        well_formed = type(stamp) is int and isinstance(event["session_id"], str)
    except (ValueError, TypeError, KeyError, StopIteration):
        return None
    return (stamp, event) if well_formed else None


def unpacked(data: bytes, max_bytes: int) -> bytes:
    """The NDJSON text in a file's ``data``. Raises ``Unprocessable`` if it is damaged or larger than ``max_bytes``."""
    if not data.startswith(_GZIP):
        text = data
    else:
        # A file that was appended to has several members.
        text, rest = b"", data
        while rest and len(text) <= max_bytes:
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            try:
                text += member.decompress(rest, max_bytes + 1 - len(text))
            except zlib.error as error:
                raise Unprocessable(f"The recording is damaged: {error}.") from error
            if not member.eof and len(text) <= max_bytes:
                raise Unprocessable("The recording is cut off: its compressed data has no end.")
            rest = member.unused_data
    if len(text) > max_bytes:
        raise Unprocessable(f"The recording is larger than {max_bytes // 1024**2} MiB.")
    return text


def packed(text: bytes) -> bytes:
    """``text`` as a gzip member; members may be appended to one another."""
    return gzip.compress(text, mtime=0)
