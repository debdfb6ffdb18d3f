"""Errors as ksqlDB's endpoints answer them, with its error codes; request bodies, with the messages of the real server (Jackson's)."""

from __future__ import annotations

from typing import Any

from services.ksql.errors import KsqlError
from shared.json import loads

BAD_REQUEST, BAD_STATEMENT, QUERY_ENDPOINT, NOT_FOUND = 40000, 40001, 40002, 40400
ASSERTION_FAILED = 41700
SERVER_ERROR, CATCH_UP_TIMEOUT, NOT_READY = 50000, 50301, 50302

_WRONG_ENDPOINT = (
    "The following statement types should be issued to the websocket endpoint '/query':\n\t* PRINT\n\t* SELECT"
)


class RestError(Exception):
    """An answer other than 200; ``body`` is the JSON document."""

    def __init__(self, error_code: int, body: dict[str, Any]) -> None:
        super().__init__(body["message"])
        self.status = error_code // 100
        self.body = body


def generic_error(message: str, error_code: int = BAD_REQUEST) -> RestError:
    """An error that belongs to no statement."""
    return RestError(error_code, {"@type": "generic_error", "error_code": error_code, "message": message})


def statement_error(
    message: str, statement: str, error_code: int = BAD_STATEMENT, entities: list[Any] | None = None
) -> RestError:
    """An error of one statement; ``entities`` are the answers of those before it."""
    return RestError(
        error_code,
        {
            "@type": "statement_error",
            "error_code": error_code,
            "message": message,
            "statementText": statement,
            "entities": entities or [],
        },
    )


def from_ksql_error(error: KsqlError, statement: str, entities: list[Any] | None = None) -> RestError:
    """The answer to an error of parser, analyser or command runner; 40000 has no statement."""
    if error.error_code == BAD_REQUEST:
        return generic_error(error.message)
    return statement_error(error.message, error.statement or statement, error.error_code, entities)


def wrong_endpoint(statement: str) -> RestError:
    """SELECT or PRINT sent to ``/ksql``."""
    return statement_error(_WRONG_ENDPOINT, statement, QUERY_ENDPOINT)


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
