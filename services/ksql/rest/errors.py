"""Errors as ksqlDB's endpoints answer them: ``generic_error`` and ``statement_error`` with its error codes."""

from __future__ import annotations

from typing import Any

from services.ksql.errors import KsqlError

BAD_REQUEST, BAD_STATEMENT, QUERY_ENDPOINT, NOT_FOUND = 40000, 40001, 40002, 40400
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
    """The answer to an error of parser, analyser or executor; 40000 has no statement."""
    if error.error_code == BAD_REQUEST:
        return generic_error(error.message)
    return statement_error(error.message, error.statement or statement, error.error_code, entities)


def wrong_endpoint(statement: str) -> RestError:
    """SELECT or PRINT sent to ``/ksql``."""
    return statement_error(_WRONG_ENDPOINT, statement, QUERY_ENDPOINT)
