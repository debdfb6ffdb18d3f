"""Rejected events: the bytes of each as it came, and how the topic of them is read."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.collector.schemas import RejectedEvent
from services.collector.topic_log import Stored
from shared.events import DroppedHeaders, RejectedHeaders
from shared.json import dumps

_HEADERS = TypeAdapter(RejectedHeaders)
_DROPPED = TypeAdapter(DroppedHeaders)


def parts_of(body: bytes, events: list[Any]) -> list[bytes]:
    """The bytes of each event in ``body``, a JSON array or one object, which was read as ``events``."""
    if not body.lstrip().startswith(b"["):
        return [body] * len(events)
    decoder, found = json.JSONDecoder(), list[bytes]()
    try:
        text = body.decode()
        at = text.index("[") + 1
        for _ in events:
            while text[at] in " \t\r\n,":
                at += 1
            _, end = decoder.raw_decode(text, at)
            found.append(text[at:end].encode())
            at = end
    except (ValueError, IndexError, RecursionError):
        # Beyond what this decoder takes (numbers of thousands of digits): the event as it was decoded, or the whole body.
        try:
            return [dumps(event) for event in events]
        except (TypeError, ValueError):
            return [body] * len(events)
    return found


def headers_of(record: Stored) -> RejectedHeaders | None:
    """None: the record was not written by a collector."""
    try:
        return _HEADERS.validate_python(dict(record.headers))
    except ValidationError:
        return None


def shown(record: Stored) -> RejectedEvent:
    """For people and programs. A record that neither a collector nor the engine wrote has the field ``unknown``."""
    headers = headers_of(record)
    value = record.value or b""
    try:
        text, encoding = value.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = b64encode(value).decode(), "base64"
    common = {"offset": record.offset, "value": text, "encoding": encoding}
    if headers is None:
        return _dropped(record, common)
    return RejectedEvent(
        **common,
        field=headers.field,
        reason=headers.reason,
        origin=headers.origin,
        received_at=_time(int(headers.received_at)),
        replays=int(headers.replays),
        truncated=headers.truncated is not None,
    )


def _dropped(record: Stored, common: dict[str, Any]) -> RejectedEvent:
    try:
        headers = _DROPPED.validate_python(dict(record.headers))
    except ValidationError:
        return RejectedEvent(**common, field="unknown", reason="not written by a collector")
    return RejectedEvent(
        **common,
        field=headers.field,
        reason=headers.reason,
        origin=f"{headers.topic}, partition {headers.partition}, offset {headers.offset}",
        received_at=_time(int(headers.received_at)),
        truncated=headers.truncated is not None,
    )


def _time(ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
