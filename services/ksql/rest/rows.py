"""The three ways in which rows leave: ksql's own v1 JSON, newline-delimited arrays, and one JSON array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from services.ksql.engine.evaluation import cast
from services.ksql.model.types import STRING, BaseType, SqlType
from services.ksql.serde.json import converter
from services.ksql.sql.format import backtick
from shared.json import dumps

V1 = "application/vnd.ksql.v1+json"
DELIMITED = "application/vnd.ksqlapi.delimited.v1"
JSON = "application/json"

Row = Sequence[Any]
_AS_TEXT = frozenset({BaseType.DATE, BaseType.TIME, BaseType.TIMESTAMP})


@dataclass(frozen=True, slots=True)
class Header:
    """What comes before the rows. ``keys`` are the names of the columns that are marked KEY (pull queries only)."""

    query_id: str
    names: tuple[str, ...]
    types: tuple[SqlType, ...]
    keys: frozenset[str] = frozenset()


class RowFormat(Protocol):
    """One JSON text per line; ``before``, ``between`` and ``after`` hold them together."""

    media_type: str
    before: bytes
    between: bytes
    after: bytes

    def header(self, header: Header) -> bytes: ...

    def row(self, array: bytes) -> bytes: ...

    def final(self, message: str) -> bytes | None:
        """The last line of a push query, where the format has one."""


class V1Format:
    """``[{"header":{...}},`` newline ``{"row":{"columns":[...]}}]``."""

    media_type = V1
    before, between, after = b"[", b",\n", b"]"

    def header(self, header: Header) -> bytes:
        columns = ", ".join(
            f"{backtick(name)} {sql_type}{' KEY' if name in header.keys else ''}"
            for name, sql_type in zip(header.names, header.types, strict=True)
        )
        return dumps({"header": {"queryId": header.query_id, "schema": columns}})

    def row(self, array: bytes) -> bytes:
        return b'{"row":{"columns":%b}}' % array

    def final(self, message: str) -> bytes | None:
        return dumps({"finalMessage": message})


class DelimitedFormat:
    """A metadata object, then one array per line."""

    media_type = DELIMITED
    before, between, after = b"", b"\n", b"\n"

    def header(self, header: Header) -> bytes:
        return _metadata(header)

    def row(self, array: bytes) -> bytes:
        return array

    def final(self, message: str) -> bytes | None:
        return None


class JsonFormat(DelimitedFormat):
    """One JSON array on one line: the metadata object, then the rows."""

    media_type = JSON
    before, between, after = b"[", b",", b"]"


def error_line(message: str) -> bytes:
    """A query that failed after it had begun to answer."""
    return dumps({"@type": "generic_error", "error_code": 50000, "message": message})


def format_for(accept: str, default: str) -> RowFormat:
    """The format that an Accept header asks for; ``default`` where it asks for none of them."""
    for media_type in (*(part.split(";")[0].strip() for part in accept.split(",")), default):
        if media_type == V1:
            return V1Format()
        if media_type == DELIMITED:
            return DelimitedFormat()
        if media_type == JSON and default != V1:
            return JsonFormat()
    return V1Format()


def _metadata(header: Header) -> bytes:
    return dumps(
        {"queryId": header.query_id, "columnNames": header.names, "columnTypes": [str(t) for t in header.types]}
    )


class RowWriter:
    """Rows of these types as JSON arrays; dates and times as texts, bytes in base64."""

    def __init__(self, types: Sequence[SqlType]) -> None:
        self._converters = [_json_converter(sql_type) for sql_type in types]
        self._plain = all(convert is None for convert in self._converters)

    def write(self, row: Row) -> bytes:
        if not self._plain:
            row = [v if c is None else c(v) for v, c in zip(row, self._converters, strict=True)]
        return orjson.dumps(row)


def _json_converter(sql_type: SqlType) -> Callable[[Any], Any] | None:
    return cast(sql_type, STRING) if sql_type.base in _AS_TEXT else converter(sql_type)
