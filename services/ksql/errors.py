"""Errors of the embedded server, with the codes that ksqlDB's REST API uses."""

from __future__ import annotations


class KsqlError(Exception):
    """A statement that cannot be run; ``message`` is worded as ksqlDB words it.

    ``error_code`` follows ksqlDB: 40001 bad statement, 40000 bad request, 40002 wrong endpoint, 50000 server error.
    """

    error_code = 40001

    def __init__(self, message: str, *, statement: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.statement = statement

    def __str__(self) -> str:
        return self.message


class ParseError(KsqlError):
    """The text is not a statement of the supported SQL."""


class RequestError(KsqlError):
    """A statement that ksqlDB answers with a generic error, without its text."""

    error_code = 40000


class ServerError(KsqlError):
    """A statement on which ksqlDB itself fails with HTTP 500, such as impossible windows."""

    error_code = 50000


class FunctionError(KsqlError):
    """A function does not exist, or not for these argument types."""


class CastError(KsqlError):
    """A CAST between types that have none."""
