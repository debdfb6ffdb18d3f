"""The three ways in which rows leave: ksql's own v1 JSON, newline-delimited arrays, and one JSON array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from services.ksql.engine.evaluation import cast
from services.ksql.model.types import STRING, BaseType, SqlType
from services.ksql.serde.json_writer import converter
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
    """Pieces of a streamed answer, in order: ``begin``, any number of ``rows``, ``end``."""

    media_type: str

    def begin(self, header: Header) -> bytes: ...

    def rows(self, rows: Sequence[bytes]) -> bytes: ...

    def error(self, message: str) -> bytes: ...

    def end(self, final_message: str | None) -> bytes: ...


class V1Format:
    """``[{"header":{...}},`` newline ``{"row":{"columns":[...]}}]``."""

    media_type = V1

    def begin(self, header: Header) -> bytes:
        columns = ", ".join(
            f"{backtick(name)} {sql_type}{' KEY' if name in header.keys else ''}"
            for name, sql_type in zip(header.names, header.types, strict=True)
        )
        return b"[" + dumps({"header": {"queryId": header.query_id, "schema": columns}})

    def rows(self, rows: Sequence[bytes]) -> bytes:
        return b"".join(b',\n{"row":{"columns":%b}}' % row for row in rows)

    def error(self, message: str) -> bytes:
        return b",\n" + dumps({"@type": "generic_error", "error_code": 50000, "message": message})

    def end(self, final_message: str | None) -> bytes:
        return (b",\n" + dumps({"finalMessage": final_message}) if final_message else b"") + b"]"


class DelimitedFormat:
    """One JSON text per line."""

    media_type = DELIMITED

    def begin(self, header: Header) -> bytes:
        return _metadata(header) + b"\n"

    def rows(self, rows: Sequence[bytes]) -> bytes:
        return b"".join(row + b"\n" for row in rows)

    def error(self, message: str) -> bytes:
        return dumps({"@type": "generic_error", "error_code": 50000, "message": message}) + b"\n"

    def end(self, final_message: str | None) -> bytes:
        return b""


class JsonFormat:
    """One JSON array: the metadata object, then the rows."""

    media_type = JSON

    def begin(self, header: Header) -> bytes:
        return b"[" + _metadata(header)

    def rows(self, rows: Sequence[bytes]) -> bytes:
        return b"".join(b",\n" + row for row in rows)

    def error(self, message: str) -> bytes:
        return b",\n" + dumps({"@type": "generic_error", "error_code": 50000, "message": message})

    def end(self, final_message: str | None) -> bytes:
        return b"]"


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
