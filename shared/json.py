"""JSON in one way: orjson, with text out where a text is needed."""

from __future__ import annotations

from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """UTF-8 JSON without spaces; dataclasses, datetimes, enums and numpy values included."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def loads(data: bytes | str) -> Any:
    """The value of a JSON text. Raises ``orjson.JSONDecodeError`` (a ValueError)."""
    return orjson.loads(data)


def trimmed(data: bytes) -> bytes:
    """The same in memory of its own size: what orjson made keeps the buffer that it was written into, 4 KiB for a few bytes."""
    return b"%b" % data
