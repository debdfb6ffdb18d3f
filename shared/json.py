"""JSON in one way: orjson, with text out where a text is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """UTF-8 JSON without spaces; dataclasses, datetimes, enums and numpy values included."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def renderable(value: Any) -> Any:
    """``value`` as any JSON writer accepts it: unpaired surrogates and bytes that are not UTF-8 as escapes, numbers
    beyond JSON or 64 bits and objects of other types as texts."""
    match value:
        case str():
            found: Any = value.encode(errors="backslashreplace").decode()
        case None | bool():
            found = value
        case int():
            found = value if -(2**63) <= value < 2**64 else str(value)
        case float():
            found = value if math.isfinite(value) else str(value)
        case bytes():
            found = value.decode(errors="backslashreplace")
        case Mapping():
            found = {renderable(str(key)): renderable(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            found = [renderable(item) for item in value]
        case _:
            found = renderable(str(value))
    return found


def loads(data: bytes | str) -> Any:
    """The value of a JSON text. Raises ``orjson.JSONDecodeError`` (a ValueError)."""
    return orjson.loads(data)


def trimmed(data: bytes) -> bytes:
    """The same in memory of its own size: what orjson made keeps the buffer that it was written into, 4 KiB for a few bytes."""
    return b"%b" % data
