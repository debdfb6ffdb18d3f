"""JSON in one way: orjson, with text out where a text is needed."""

from __future__ import annotations

from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """UTF-8 JSON without spaces; dataclasses, datetimes, enums and numpy values included. Half of a surrogate pair is a question mark."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(value, option=options)
    except orjson.JSONEncodeError:
        return orjson.dumps(whole(value), option=options)


def whole(value: Any) -> Any:
    """A JSON value whose texts UTF-8 can carry: with a question mark for half of a surrogate pair, as Java writes it."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {whole(name): whole(item) for name, item in value.items()}
    return [whole(item) for item in value] if isinstance(value, list | tuple) else value


def loads(data: bytes | str) -> Any:
    """The value of a JSON text. Raises ``orjson.JSONDecodeError`` (a ValueError)."""
    return orjson.loads(data)


def trimmed(data: bytes) -> bytes:
    """The same in memory of its own size: what orjson made keeps the buffer that it was written into, 4 KiB for a few bytes."""
    return b"%b" % data
