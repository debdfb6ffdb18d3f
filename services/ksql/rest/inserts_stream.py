"""``/inserts-stream``: rows as lines of JSON, an acknowledgement per row, line by line or as one JSON array."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from services.ksql.engine.evaluation import cast
from services.ksql.errors import KsqlError
from services.ksql.model.schema import DataSource
from services.ksql.model.types import DOUBLE, INTEGER, STRING, BaseType, SqlType
from services.ksql.rest.errors import BAD_REQUEST, BAD_STATEMENT, generic_error, missing_field
from services.ksql.rest.rows import DELIMITED, JSON, format_for
from services.ksql.runtime.core import Core
from services.ksql.runtime.inserts import insert_row
from services.ksql.runtime.thread import Runtime
from services.ksql.sql.format import backtick
from shared.json import dumps, loads

_JAVA = {bool: "java.lang.Boolean", int: "java.lang.Integer", float: "java.lang.Double", str: "java.lang.String"}
_FITS: dict[BaseType, tuple[type, ...]] = {
    BaseType.BOOLEAN: (bool,),
    BaseType.INTEGER: (int,),
    BaseType.BIGINT: (int,),
    BaseType.DOUBLE: (float, int),
    BaseType.STRING: (str,),
}


async def stream_inserts(runtime: Runtime, body: bytes, accept: str) -> Response:
    """One acknowledgement per row; the first error ends it, as on the real server.

    Raises:
        RestError: the first line does not name a stream or table.
    """
    lines = [line for line in body.splitlines() if line.strip()]
    target = await runtime.call(_target, runtime.core, lines)
    acknowledged = _insert(runtime, target, lines[1:])
    if format_for(accept, DELIMITED).media_type == JSON:
        return StreamingResponse(_array(acknowledged), media_type=JSON)
    return StreamingResponse(_by_line(acknowledged), media_type=DELIMITED)


async def _insert(runtime: Runtime, target: DataSource, lines: list[bytes]) -> AsyncIterator[bytes]:
    for sequence, line in enumerate(lines):
        try:
            await runtime.call(insert_row, runtime.core, target, _row(target, line))
        except KsqlError as error:
            failure = {"@type": "InsertError", "status": "error", "seq": sequence, "message": error.message}
            yield dumps(failure | {"error_code": BAD_REQUEST})
            return
        yield dumps({"seq": sequence, "status": "ok"})


async def _by_line(items: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for item in items:
        yield item + b"\n"


async def _array(items: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    lead = b"["
    async for item in items:
        yield lead + item
        lead = b","
    yield b"]" if lead == b"," else b"[]"


async def _target(core: Core, lines: list[bytes]) -> DataSource:
    try:
        head = loads(lines[0]) if lines else None
    except ValueError:
        head = None
    if not isinstance(head, dict):
        raise generic_error("Invalid JSON in inserts stream: the first line must name the target")
    if not isinstance(head.get("target"), str):
        raise missing_field(lines[0], "InsertsStreamArgs", "target")
    name = head["target"]
    name = name.strip("`") if name.startswith("`") else name.upper()
    source = core.command_runner.catalog.find(name)
    if source is None:
        raise generic_error(f"Cannot insert values into an unknown stream/table: {backtick(name)}", BAD_STATEMENT)
    return source


def _row(target: DataSource, line: bytes) -> dict[str, Any]:
    try:
        content = loads(line)
    except ValueError:
        raise KsqlError("Invalid JSON in inserts stream") from None
    if not isinstance(content, dict):
        raise KsqlError("Invalid JSON in inserts stream")
    row: dict[str, Any] = {}
    for name, value in content.items():
        column = target.schema.find(name) or target.schema.find(name.upper())
        if column is None:  # ignored there, too
            continue
        row[column.name] = _coerce(value, column.type)
    missing = [c.name for c in target.schema.key if row.get(c.name) is None]
    if missing and target.kind == "TABLE":
        raise KsqlError(f"Key field must be specified: {missing[0]}")
    return row


def _coerce(value: Any, sql_type: SqlType) -> Any:
    if value is None:
        return None
    fits = _FITS.get(sql_type.base)
    if fits is not None and type(value) in fits:
        return float(value) if sql_type.base is BaseType.DOUBLE else value
    if type(value) in _WRITTEN_AS.get(sql_type.base, ()):
        try:
            return _of_another_form(value, sql_type)
        except (ValueError, KeyError) as error:
            raise KsqlError(f"Can't coerce {value!r} into type {sql_type}") from error
    java = _JAVA.get(type(value), "io.vertx.core.json.JsonObject")
    raise KsqlError(f"Can't coerce a field of type class {java} into type {sql_type}")


#: what JSON has for a type that it does not know
_WRITTEN_AS: dict[BaseType, tuple[type, ...]] = {
    BaseType.DECIMAL: (int, float, str),
    BaseType.BYTES: (str,),
    BaseType.DATE: (str,),
    BaseType.TIME: (str,),
    BaseType.TIMESTAMP: (str,),
    BaseType.ARRAY: (list,),
    BaseType.MAP: (dict,),
    BaseType.STRUCT: (dict,),
}


def _of_another_form(value: Any, sql_type: SqlType) -> Any:
    match sql_type.base:
        case BaseType.ARRAY:
            return [_coerce(item, sql_type.item) for item in value]
        case BaseType.MAP:
            return {name: _coerce(item, sql_type.item) for name, item in value.items()}
        case BaseType.STRUCT:
            by_upper = {name.upper(): item for name, item in value.items()}
            return {n: _coerce(value.get(n, by_upper.get(n.upper())), kind) for n, kind in sql_type.fields}
        case BaseType.BYTES:
            return base64.b64decode(value, validate=True)
    return cast(DOUBLE if isinstance(value, float) else INTEGER if isinstance(value, int) else STRING, sql_type)(value)
