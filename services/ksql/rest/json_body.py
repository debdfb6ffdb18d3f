"""Request bodies: JSON, with the messages of the real server (Jackson's) where it is broken."""

from __future__ import annotations

from typing import Any

from services.ksql.rest.errors import SERVER_ERROR, RestError, generic_error
from shared.json import loads

_SOURCE = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, column: {}]"
_EMPTY = 'Cannot invoke "io.vertx.core.buffer.Buffer.getBytes()" because "buffer" is null'
_KINDS = {"{": "Object", "[": "Array"}


def parse_body(body: bytes, entity: str) -> dict[str, Any]:
    """The object of a request body; ``entity`` is the name of the real server's class, for messages.

    Raises:
        RestError: the body is empty, not JSON, or not an object.
    """
    if not body:
        raise generic_error(_EMPTY, SERVER_ERROR)
    text = body.decode(errors="replace")
    try:
        value = loads(body)
    except ValueError:
        raise _broken(text) from None
    if not isinstance(value, dict):
        kind = "Array" if isinstance(value, list) else "String" if isinstance(value, str) else "Integer"
        token = {"Array": "START_ARRAY", "String": "VALUE_STRING"}.get(kind, "VALUE_NUMBER_INT")
        raise generic_error(
            f"Invalid JSON in request: Cannot deserialize value of type `io.confluent.ksql.rest.entity.{entity}` "
            f"from {kind} value (token `JsonToken.{token}`)\n at {_SOURCE.format(1, 1)}"
        )
    return value


def missing_field(body: bytes, entity: str, field: str) -> RestError:
    """The answer where a required field is not there."""
    at = _source(body.decode(errors="replace").rstrip()[:-1])
    chain = f'io.confluent.ksql.rest.entity.{entity}["{field}"]'
    return generic_error(
        f"Invalid JSON in request: Missing required creator property '{field}' (index 0)\n at {at} "
        f"(through reference chain: {chain})"
    )


def _broken(text: str) -> RestError:
    """Says how far the text goes: ksqlDB's clients show this to people."""
    open_at: list[tuple[str, int]] = []
    last = ""
    in_text = escaped = False
    for index, char in enumerate(text):
        if in_text:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_text, last = False, '"'
            continue
        if char == '"':
            in_text = True
        elif char in _KINDS:
            open_at.append((char, index))
            last = char
        elif char in "]}" and open_at:
            open_at.pop()
            last = char
        elif not char.isspace():
            last = char
    end = _source(text)
    if in_text:
        return generic_error(f"Invalid JSON in request: Unexpected end-of-input in VALUE_STRING\n at {end}")
    if not open_at:
        return generic_error(f"Invalid JSON in request: Unrecognized token\n at {end}")
    kind, start = open_at[-1]
    if last in ":,":
        return generic_error(
            f"Invalid JSON in request: Unexpected end-of-input within/between {_KINDS[kind]} entries\n at {end}"
        )
    marker = _source(text[:start])
    return generic_error(
        "Invalid JSON in request: Unexpected end-of-input: expected close marker for "
        f"{_KINDS[kind]} (start marker at {marker})\n at {end}"
    )


def _source(text: str) -> str:
    lines = text.split("\n")
    return _SOURCE.format(len(lines), len(lines[-1]) + 1)
