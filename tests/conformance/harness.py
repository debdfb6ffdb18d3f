"""A server in miniature: applies statements to a catalog, pipes each record through every query, keeps what sinks get."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

import orjson

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog
from services.ksql.engine.expressions import Layout, compile_one
from services.ksql.engine.query import Query
from services.ksql.engine.records import InputRecord, OutputRecord
from services.ksql.model import commands, plain
from services.ksql.model.schema import Column, DataSource, Format, WindowType
from services.ksql.serde.formats import decoder, encoder
from services.ksql.serde.keys import append_window, split_window
from services.ksql.sql.parser import parse


class Harness:
    """One catalog with its queries. ``outputs`` are the records of each topic, in order."""

    def __init__(self, properties: Mapping[str, str] | None = None) -> None:
        self.catalog = Catalog()
        self.outputs: dict[str, list[OutputRecord]] = defaultdict(list)
        self._properties = dict(properties or {})
        self._queries: dict[str, Query] = {}
        self._offsets: dict[str, int] = defaultdict(int)
        self._number = 0

    def execute(self, text: str) -> None:
        """Runs every statement of ``text``. Raises KsqlError."""
        for parsed in parse(text):
            command = Analyzer(self.catalog, self._properties).analyze(parsed.ast)
            self._apply(command)

    def _apply(self, command: commands.Command) -> None:
        query_id = None
        query: Query | None = None
        match command:
            case commands.CreateQuery(plan=plan) | commands.InsertQuery(plan=plan):
                query_id = f"QUERY_{self._number}"
                self._number += 1
                query = Query(plan, tracked=False, properties=self._properties)
            case commands.InsertValues():
                self._insert(command)
                return
            case plain.SetProperty(name=name, value=value):
                self._properties[name] = value
                return
            case _:
                pass
        self.catalog.apply(command, query_id)
        if query is not None and query_id is not None:
            self._queries[query_id] = query
        alive = {q.id for q in self.catalog.queries()}
        self._queries = {name: query for name, query in self._queries.items() if name in alive}

    def _insert(self, command: commands.InsertValues) -> None:
        nothing = Layout((), 0)
        row = {v.name: compile_one(v.expression, nothing)((), 0, None) for v in command.values}
        schema, target = command.target.schema, command.target
        key = encoder(target.key_format, schema.key, is_key=True)([row.get(c.name) for c in schema.key])
        value = encoder(target.value_format, schema.value)([row.get(c.name) for c in schema.value])
        self.pipe(target.topic, key, value, row.get("ROWTIME") or 0)

    def pipe(self, topic: str, key: bytes | None, value: bytes | None, timestamp: int, headers: Any = ()) -> None:
        """Carries a record through every query, and what they write through the next ones."""
        waiting = deque([(topic, key, value, timestamp, headers)])
        while waiting:
            name, k, v, t, h = waiting.popleft()
            record = InputRecord(name, 0, self._offsets[name], t, k, v, h)
            self._offsets[name] += 1
            for query in list(self._queries.values()):
                if name not in query.topics:
                    continue
                for out in query.process(record):
                    self.outputs[out.topic].append(out)
                    waiting.append((out.topic, out.key, out.value, out.timestamp, out.headers))

    @property
    def queries(self) -> list[Query]:
        """The running queries, in the order of their making."""
        return list(self._queries.values())

    def source_of(self, topic: str) -> DataSource | None:
        """The stream or table that says how a topic is written."""
        return next((s for s in self.catalog.sources() if s.topic == topic), None)


def write_key(source: DataSource, key: Any, window: Mapping[str, Any] | None) -> bytes | None:
    """The bytes of a case's key."""
    data = _write(source.key_format, source.schema.key, key, is_key=True)
    if data is None or window is None:
        return data
    kind = WindowType.SESSION if window.get("type", "").lower() == "session" else WindowType.TUMBLING
    return append_window(data, (window["start"], window["end"]), kind)


def write_value(source: DataSource, value: Any) -> bytes | None:
    """The bytes of a case's value."""
    return _write(source.value_format, tuple(c for c in source.schema.value if c.header is None), value)


def _write(form: Format, columns: tuple[Column, ...], value: Any, *, is_key: bool = False) -> bytes | None:
    name = form.name.upper()
    if value is None or name == "NONE":
        return None
    if name == "JSON":
        return orjson.dumps(value)
    if name == "DELIMITED" or not columns:
        return str(value).encode()
    if isinstance(value, dict):
        value = next(iter(value.values()))
    return encoder(form, columns, is_key=is_key)((value,))


def read_key(source: DataSource, data: bytes | None) -> tuple[Any, tuple[int, int] | None]:
    """The key of an output as a case writes it, and its window."""
    window = None
    if data is not None and source.window is not None:
        data, window = split_window(data, source.window)
    return _read(source.key_format, source.schema.key, data, is_key=True), window


def read_value(source: DataSource, data: bytes | None) -> Any:
    """The value of an output as a case writes it."""
    return _read(source.value_format, source.schema.value, data)


def _read(form: Format, columns: tuple[Column, ...], data: bytes | None, *, is_key: bool = False) -> Any:
    if data is None:
        return None
    match form.name.upper():
        case "JSON":
            return orjson.loads(data)
        case "DELIMITED":
            return data.decode()
        case "KAFKA" if columns:
            return decoder(form, columns, is_key=is_key)(data)[0]
    return None
