"""A topology: statements applied to a catalog, and each record carried through every query before the next."""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog, query_id_of
from services.ksql.engine.client_rows import candidates, encoded_row, evaluate, inserted_row
from services.ksql.engine.query import Query
from services.ksql.engine.records import Headers, InputRecord, OutputRecord
from services.ksql.errors import KsqlError
from services.ksql.functions.date_time import clock_at
from services.ksql.model import commands
from services.ksql.model.schema import Column, DataSource, Format, WindowType
from services.ksql.serde.base import append_window, split_window
from services.ksql.serde.formats import decoder, encoder
from services.ksql.sql.parser import parse
from shared.partitioner import partition_for

Window = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A record of a topic as its format shows it: an object for JSON, a text for DELIMITED, one value for KAFKA; None where there is none.

    ``timestamp`` in milliseconds; ``window`` is (start, end) in milliseconds where the key is windowed. Rows are equal when key,
    value, timestamp and window are.
    """

    key: Any
    value: Any
    timestamp: int
    window: Window | None = None
    partition: int = field(default=0, compare=False)
    headers: Headers = field(default=(), compare=False)
    #: the bytes in Kafka
    raw_key: bytes | None = field(default=None, compare=False, repr=False)
    raw_value: bytes | None = field(default=None, compare=False, repr=False)


class _Running:
    """A query and, while it is paused, the records that wait for it."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.paused = False
        self.waiting: list[InputRecord] = []


class Topology:
    """Streams, tables and running queries, in memory. Made by ``topology``.

    Args:
        properties: as ksqlDB's, such as ``{"ksql.functions.collect_list.limit": "3"}``.
        partitions: of every topic; what shares a window's stream time is a partition.
        now: the clock in milliseconds, which records without a timestamp, UNIX_TIMESTAMP() and UNIX_DATE() get. ``advance`` moves it,
            nothing else does.
    """

    def __init__(self, properties: Mapping[str, str] | None = None, *, partitions: int = 1, now: int = 0) -> None:
        if partitions < 1:
            raise ValueError(f"a topic has at least one partition, not {partitions}")
        self.catalog = Catalog()
        self.partitions = partitions
        self.now = now
        self._properties = dict(properties or {})
        self._variables: dict[str, str] = {}
        self._running: dict[str, _Running] = {}
        self._offsets: dict[tuple[str, int], int] = defaultdict(int)
        self._records: list[InputRecord] = []
        #: what the queries wrote, by topic, as bytes
        self.outputs: dict[str, list[InputRecord]] = defaultdict(list)
        self._number = 0

    def execute(self, text: str) -> None:
        """Runs every statement of ``text``, as one request. A new query reads its topics from their beginning.

        Raises:
            KsqlError: a statement is refused, worded as ksqlDB words it. Those before it have taken effect.
        """
        with clock_at(self.now):
            for parsed in parse(text, self._variables):
                self._apply(Analyzer(self.catalog, self._properties).analyze(parsed.ast))

    def pipe(
        self,
        topic: str,
        key: Any = None,
        value: Any = None,
        *,
        timestamp: int | datetime | None = None,
        headers: Mapping[str, bytes | None] | Headers = (),
        partition: int | None = None,
        window: Window | None = None,
    ) -> None:
        """Writes a record to a topic and carries it through every query, and what these write through the next ones.

        ``key`` and ``value`` are what ``Row`` shows; bytes are written as they are, and a dict or list for DELIMITED or KAFKA is
        encoded column by column. ``timestamp`` is in milliseconds or a datetime with a zone; without it, ``now``. ``window`` is
        (start, end) of a source with windowed keys. Without ``partition`` the key chooses it, as in Kafka.

        Raises:
            KsqlError: no stream or table reads or writes ``topic`` (give bytes to write to any topic), or the value does not fit.
        """
        source = self.source_of(topic)
        if source is None and not all(part is None or isinstance(part, bytes) for part in (key, value)):
            known = ", ".join(sorted({s.topic for s in self.catalog.sources()})) or "none"
            raise KsqlError(f"No stream or table is defined over the topic '{topic}'. Topics with one: {known}")
        raw_key = key if source is None or isinstance(key, bytes) else _write_key(source, key, window)
        raw_value = value if source is None or isinstance(value, bytes) else _write_value(source, value)
        if partition is not None and not 0 <= partition < self.partitions:
            raise ValueError(f"partition {partition} of {self.partitions}: topology(..., partitions=N) makes more")
        pairs = tuple(headers.items()) if isinstance(headers, Mapping) else tuple(headers)
        at = self._partition(raw_key) if partition is None else partition
        self._pipe(OutputRecord(topic, at, raw_key, raw_value, self._milliseconds(timestamp), pairs))

    def rows(self, topic: str) -> list[Row]:
        """What the queries wrote to a topic so far, in order. A stream or table may be named in place of its topic."""
        source = self._source(topic)
        return [_row(source, record) for record in self.outputs[source.topic]]

    def records(self, topic: str) -> list[Row]:
        """Everything in a topic, piped or written, in order. A stream or table may be named in place of its topic."""
        source = self._source(topic)
        return [_row(source, record) for record in self._records if record.topic == source.topic]

    def table(self, name: str) -> list[dict[str, Any]]:
        """The present rows of a table that a query keeps, each as a dict of its columns."""
        return self.query(f"SELECT * FROM {name};")  # noqa: S608 - KSQL of the test itself

    def query(self, statement: str) -> list[dict[str, Any]]:
        """The rows of a SELECT: a pull query, or a push query (EMIT CHANGES) over what the topics hold until now.

        Raises:
            KsqlError: it is refused, or no query keeps the table.
        """
        with clock_at(self.now):
            return self._query(statement)

    def _query(self, statement: str) -> list[dict[str, Any]]:
        (parsed,) = parse(statement if statement.rstrip().endswith(";") else f"{statement};", self._variables)
        command = Analyzer(self.catalog, self._properties).analyze(parsed.ast)
        match command:
            case commands.PullQuery(plan=plan):
                writer = self.catalog.materialised_by(plan.source.name)
                if writer is None:
                    raise KsqlError(f"The table {plan.source.name} is not served now: its query is not running.")
                rows: Sequence[Sequence[Any]] = list(evaluate(plan, candidates(self._running[writer.id].query, plan)))
                names = [item.name for item in plan.select]
            case commands.PushQuery(plan=push):
                query = Query(push, partitions=self.partitions, properties=self._properties)
                for record in self._records:
                    if record.topic in query.topics:
                        query.process(replace(record, memo=None), self.now)
                rows = query.poll_rows()
                names = [column.name for column in push.root.schema.value]
            case _:
                raise KsqlError("query() takes a SELECT; execute() runs every other statement", statement=parsed.text)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def advance(self, by: timedelta | int) -> None:
        """Moves the clock forward; an int is milliseconds. Windows close by stream time: pipe a later record for that."""
        milliseconds = by // timedelta(milliseconds=1) if isinstance(by, timedelta) else by
        if milliseconds < 0:
            raise ValueError("a clock does not go back")
        self.now += milliseconds

    @property
    def stream_time(self) -> int:
        """The greatest event time that a query has seen, in milliseconds; -1 before the first."""
        return max((running.query.stream_time for running in self._running.values()), default=-1)

    @property
    def queries(self) -> dict[str, Query]:
        """The running queries by id, in the order of their making."""
        return {name: running.query for name, running in self._running.items()}

    def source_of(self, topic: str) -> DataSource | None:
        """The first stream or table over a topic."""
        return next((s for s in self.catalog.sources() if s.topic == topic), None)

    def shown(self, topic: str, key: bytes | None, value: bytes | None) -> Row:
        """How a record of these bytes would be shown in ``rows`` of a topic."""
        return _row(self._source(topic), InputRecord(topic, 0, 0, self.now, key, value))

    def insert(self, command: commands.InsertValues) -> None:
        """Carries out an analysed INSERT INTO ... VALUES."""
        row = inserted_row(command)
        key, value = encoded_row(command.target, row)
        rowtime = row.get("ROWTIME")
        at = self.now if rowtime is None else int(rowtime)
        self._pipe(OutputRecord(command.target.topic, self._partition(key), key, value, at))

    def _source(self, name: str) -> DataSource:
        source = self.source_of(name) or self.catalog.find(name) or self.catalog.find(name.upper())
        if source is None:
            known = ", ".join(sorted({s.topic for s in self.catalog.sources()})) or "none"
            raise KsqlError(f"No stream or table is defined over the topic '{name}'. Topics with one: {known}")
        return source

    def _milliseconds(self, timestamp: int | datetime | None) -> int:
        if timestamp is None:
            return self.now
        if isinstance(timestamp, datetime):
            if timestamp.tzinfo is None:
                raise ValueError("a datetime needs a time zone: a record's timestamp is a point in time")
            return int(timestamp.timestamp() * 1000)
        return timestamp

    def _apply(self, command: commands.Command) -> None:  # noqa: PLR0912 - one arm per kind of command
        match command:
            case commands.InsertValues():
                self.insert(command)
                return
            case commands.SetProperty(name=name, value=value):
                self._properties[name] = value
                return
            case commands.UnsetProperty(name=name):
                self._properties.pop(name, None)
                return
            case commands.Define(name=name, value=value):
                self._variables[name.upper()] = value
                return
            case commands.Undefine(name=name):
                self._variables.pop(name.upper(), None)
                return
            case commands.AssertTopic():
                raise KsqlError("ASSERT TOPIC needs a broker: rows() gives the records of a topic in memory")
            case commands.PullQuery() | commands.PushQuery():
                raise KsqlError("execute() runs no SELECT: query() gives its rows")
            case _:
                pass
        query_id = query_id_of(command, self.catalog, self._number)
        self._number += 1
        self.catalog.apply(command, query_id)
        started: _Running | None = None
        if isinstance(command, commands.CreateQuery | commands.InsertQuery) and query_id is not None:
            query = Query(command.plan, partitions=self.partitions, tracked=False, properties=self._properties)
            self._running[query_id] = started = _Running(query)
        alive = {query.id for query in self.catalog.queries()}
        self._running = {name: running for name, running in self._running.items() if name in alive}
        if isinstance(command, commands.DropSource) and command.delete_topic and command.source is not None:
            topic = command.source.topic
            self._records = [record for record in self._records if record.topic != topic]
            self.outputs.pop(topic, None)
        if isinstance(command, commands.ControlQuery) and command.action != "TERMINATE":
            self._pause(command)
        if started is not None:
            for record in [r for r in self._records if r.topic in started.query.topics]:
                self._carry(record, [started])

    def _pause(self, command: commands.ControlQuery) -> None:
        for name, running in self._running.items():
            if command.query_id not in (None, name):
                continue
            running.paused = command.action == "PAUSE"
            waiting, running.waiting = running.waiting, []
            if running.paused:
                running.waiting = waiting
                continue
            for record in waiting:
                self._carry(record, [running])

    def _pipe(self, record: OutputRecord) -> None:
        self._carry(self._append(record), None)

    def _append(self, record: OutputRecord) -> InputRecord:
        place = (record.topic, record.partition)
        kept = InputRecord(*place, self._offsets[place], record.timestamp, record.key, record.value, record.headers)
        self._offsets[place] += 1
        self._records.append(kept)
        return kept

    def _partition(self, key: bytes | None) -> int:
        return 0 if key is None else partition_for(key, self.partitions)

    def _carry(self, first: InputRecord, only: list[_Running] | None) -> None:
        """Through all queries, or ``only`` some, then what they write through all."""
        with clock_at(self.now):
            self._process(first, only)

    def _process(self, first: InputRecord, only: list[_Running] | None) -> None:
        waiting: deque[tuple[InputRecord, list[_Running] | None]] = deque([(first, only)])
        while waiting:
            record, targets = waiting.popleft()
            for running in list(self._running.values()) if targets is None else targets:
                if record.topic not in running.query.topics:
                    continue
                if running.paused:
                    running.waiting.append(record)
                    continue
                for out in running.query.process(record, self.now):
                    written = self._append(out._replace(partition=self._partition(out.key)))
                    self.outputs[out.topic].append(written)
                    waiting.append((written, None))


@contextmanager
def topology(
    statements: str = "", properties: Mapping[str, str] | None = None, *, partitions: int = 1, now: int = 0
) -> Iterator[Topology]:
    """A topology with ``statements`` applied. Several may exist at the same time; see ``Topology`` for the arguments.

    Every update comes out (a record cache of 0 bytes), and queries read from the beginning.

    Raises:
        KsqlError: a statement is refused.
    """
    made = Topology(properties, partitions=partitions, now=now)
    if statements.strip():
        made.execute(statements)
    yield made


def _row(source: DataSource, record: InputRecord) -> Row:
    window, key = None, record.key
    if key is not None and source.window is not None:
        key, window = split_window(key, source.window)
    return Row(
        key=_read(source.key_format, source.schema.key, key, is_key=True),
        value=_read(source.value_format, source.schema.value, record.value),
        timestamp=record.timestamp,
        window=window,
        partition=record.partition,
        headers=record.headers,
        raw_key=record.key,
        raw_value=record.value,
    )


def _write_key(source: DataSource, key: Any, window: Window | None) -> bytes | None:
    data = _write(source.key_format, source.schema.key, key, is_key=True)
    if data is None or window is None:
        return data
    kind = WindowType.SESSION if source.window is not None and source.window.size_ms is None else WindowType.TUMBLING
    return append_window(data, window, kind)


def _write_value(source: DataSource, value: Any) -> bytes | None:
    return _write(source.value_format, tuple(c for c in source.schema.value if c.header is None), value)


def _write(form: Format, columns: tuple[Column, ...], value: Any, *, is_key: bool = False) -> bytes | None:
    name = form.name.upper()
    if value is None or name == "NONE":
        return None
    if name == "JSON":
        return orjson.dumps(value, default=_json)
    if (name == "DELIMITED" or not columns) and not isinstance(value, Mapping | list | tuple):
        return str(value).encode()
    return encoder(form, columns, is_key=is_key)(_values(columns, value))


def _values(columns: Sequence[Column], value: Any) -> Sequence[Any]:
    """One value for each column."""
    if isinstance(value, Mapping):
        by_name = {str(name).upper(): each for name, each in value.items()}
        return [by_name.get(column.name.upper()) for column in columns]
    return list(value) if isinstance(value, list | tuple) else [value]


def _json(value: Any) -> Any:
    """What JSON has no form for: a DECIMAL is a number with all its digits, BYTES are Base64."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError(f"JSON has no form for {type(value).__name__}")


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
