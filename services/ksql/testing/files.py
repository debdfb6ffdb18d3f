"""Tests that are files: SQL with ksqlDB's ``--@test`` directives, and statements with JSON files of inputs and outputs.

A ``.sql`` file holds tests, each from a line ``--@test: name`` to the next. ``--@expected.error: CLASS`` and ``--@expected.message: TEXT``
say that the test must fail; the class is Java's, so any error is taken for it. Besides ordinary statements there are
``ASSERT VALUES source (columns) VALUES (...)``, ``ASSERT NULL VALUES source (columns) KEY (...)``, ``ASSERT STREAM | TABLE name (...) WITH
(...)`` and ``RUN SCRIPT 'file'``. An ASSERT [NULL] VALUES reads the next record of the source's topic.

The other form is three files: statements, ``{"inputs": [...]}`` and ``{"outputs": [...]}``; a record is
``{"topic", "key", "value", "timestamp", "window": {"start", "end", "type"}}``.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.engine.client_rows import encoded_row, inserted_row
from services.ksql.errors import KsqlError
from services.ksql.model import commands
from services.ksql.sql.parser import parse_one
from services.ksql.sql.tokens import split_statements, tokenize
from services.ksql.testing.topology import Row, Topology

_DIRECTIVE = re.compile(r"^--@(?P<name>[a-z.]+)\s*:\s*(?P<value>.*?)\s*$", re.MULTILINE)
_ASSERT = re.compile(
    r"\s*ASSERT\s+(?P<what>NULL\s+VALUES|VALUES|STREAM|TABLE)\s+(?P<rest>.*)\Z", re.IGNORECASE | re.DOTALL
)
_RUN_SCRIPT = re.compile(r"\s*RUN\s+SCRIPT\s+'(?P<path>(?:[^']|'')+)'\s*;\s*\Z", re.IGNORECASE)
_KEY = re.compile(r"\bKEY\s*(?=\([^()]*\)\s*;\s*\Z)", re.IGNORECASE)
_NESTED = 10


class CaseFailure(AssertionError):
    """A test found something else than it expects; the text says what, with the difference."""


@dataclass(frozen=True, slots=True)
class FileTest:
    """A test of a ``.sql`` file. ``text`` keeps its line numbers: what comes before it is blank."""

    path: Path
    name: str
    line: int
    text: str
    expected_error: str | None = None
    expected_message: str | None = None

    def run(self) -> None:
        """Raises CaseFailure, or the KsqlError of a statement that was not expected to fail."""
        try:
            _run_text(_Script(Topology()), self.text, self.path)
        except KsqlError as error:
            if self.expected_error is None and self.expected_message is None:
                raise
            if self.expected_message is not None and self.expected_message not in error.message:
                raise CaseFailure(
                    f"failed with another message\n  expected: {self.expected_message}\n  actual:   {error.message}"
                ) from error
            return
        if self.expected_error is not None or self.expected_message is not None:
            raise CaseFailure(f"did not fail; expected {self.expected_message or self.expected_error}")


@dataclass(frozen=True, slots=True)
class ThreeFiles:
    """Statements, inputs and outputs. ``inputs`` may be None: the statements then insert what they need."""

    statements: Path
    inputs: Path | None
    outputs: Path

    @property
    def name(self) -> str:
        return self.statements.stem

    def run(self) -> None:
        """Raises CaseFailure, KsqlError, or ValueError for a file that is not as it should be."""
        topology = Topology()
        topology.execute(self.statements.read_text(encoding="utf-8"))
        for record in _listed(self.inputs, "inputs") if self.inputs is not None else ():
            window = record.get("window")
            topology.pipe(
                record["topic"],
                record.get("key"),
                record.get("value"),
                timestamp=record.get("timestamp", 0),
                window=None if window is None else (window["start"], window["end"]),
            )
        wanted: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for record in _listed(self.outputs, "outputs"):
            wanted[record["topic"]].append(record)
        for topic, records in wanted.items():
            compare(topic, topology.rows(topic), records)


def compare(topic: str, rows: Sequence[Row], wanted: Sequence[Mapping[str, Any]]) -> None:
    """Raises CaseFailure unless ``rows`` are the records ``wanted``; a timestamp or window that is not given may be any."""
    shown, expected = [], []
    for number in range(max(len(rows), len(wanted))):
        want = wanted[number] if number < len(wanted) else None
        if number < len(rows):
            shown.append(_record(rows[number], want if want is not None else {"timestamp": 0, "window": 0}))
        if want is not None:
            window = want.get("window")
            parts = {"key": want.get("key"), "value": want.get("value")}
            if "timestamp" in want:
                parts["timestamp"] = want["timestamp"]
            if window is not None:
                parts["window"] = [window["start"], window["end"]]
            expected.append(parts)
    if shown != expected:
        raise CaseFailure(f"the rows of {topic} differ\n{difference(expected, shown)}")


def difference(expected: Sequence[Any], actual: Sequence[Any]) -> str:
    """Row by row: what is equal, what was expected (-) and what came (+)."""
    lines = []
    for number in range(max(len(expected), len(actual))):
        want = _shown(expected[number]) if number < len(expected) else None
        got = _shown(actual[number]) if number < len(actual) else None
        if want == got:
            lines.append(f"    [{number}] {want}")
            continue
        lines += [f"  - [{number}] {want}"] if want is not None else []
        lines += [f"  + [{number}] {got}"] if got is not None else []
    return "\n".join(["  (- expected, + actual)", *lines])


def _shown(row: Any) -> str:
    if isinstance(row, Row):
        parts = {"key": row.key, "value": row.value, "timestamp": row.timestamp}
        row = parts if row.window is None else {**parts, "window": list(row.window)}
    return json.dumps(row, default=str, ensure_ascii=False)


def _record(row: Row, want: Mapping[str, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {"key": row.key, "value": row.value}
    if "timestamp" in want:
        parts["timestamp"] = row.timestamp
    if want.get("window") is not None:
        parts["window"] = None if row.window is None else list(row.window)
    return parts


def find(path: Path) -> Iterator[FileTest | ThreeFiles]:
    """The tests of a file or, by name, of a folder and the folders in it.

    Three files are ``NAME.sql``, ``NAME.input.json`` and ``NAME.output.json``, or ``statements.sql``, ``input.json`` and ``output.json``
    in a folder of their own. A ``.sql`` file without a ``--@test`` directive and without an output file is no test.
    """
    paths = sorted(path.rglob("*.sql")) if path.is_dir() else [path]
    for each in paths:
        three = three_files_of(each)
        if three is not None:
            yield three
        else:
            yield from sql_tests(each)


def three_files_of(statements: Path) -> ThreeFiles | None:
    """The three files of which ``statements`` is the first; None where there is no file of outputs beside it."""
    pairs = [(statements.with_suffix(".input.json"), statements.with_suffix(".output.json"))]
    if statements.name == "statements.sql":
        pairs.append((statements.with_name("input.json"), statements.with_name("output.json")))
    for inputs, outputs in pairs:
        if outputs.is_file():
            return ThreeFiles(statements, inputs if inputs.is_file() else None, outputs)
    return None


def sql_tests(path: Path) -> Iterator[FileTest]:
    """The tests of a ``.sql`` file, in order.

    Raises:
        ValueError: a directive that does not exist, or one before the first ``--@test``.
    """
    text = path.read_text(encoding="utf-8")
    found = list(_DIRECTIVE.finditer(text))
    starts = [number for number, match in enumerate(found) if match["name"] == "test"]
    first = found[0] if found else None
    if first is not None and (not starts or starts[0] != 0):
        raise ValueError(f"{path}:{_line(text, first.start())}: --@{first['name']} comes before any --@test")
    for position, start in enumerate(starts):
        end = starts[position + 1] if position + 1 < len(starts) else len(found)
        begin = found[start].start()
        until = found[end].start() if end < len(found) else len(text)
        expected: dict[str, str] = {}
        for match in found[start + 1 : end]:
            if match["name"] not in ("expected.error", "expected.message"):
                raise ValueError(f"{path}:{_line(text, match.start())}: there is no directive --@{match['name']}")
            expected[match["name"]] = match["value"]
        line = _line(text, begin)
        yield FileTest(
            path=path,
            name=found[start]["value"] or f"line {line}",
            line=line,
            text="\n" * (line - 1) + text[begin:until],
            expected_error=expected.get("expected.error"),
            expected_message=expected.get("expected.message"),
        )


class _Script:
    """A topology, and how far the assertions have read each topic."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.read: dict[str, int] = defaultdict(int)
        self.depth = 0


def _run_text(script: _Script, text: str, path: Path) -> None:
    for piece in split_statements(tokenize(text)):
        statement = text[piece[0].start_pos : piece[-1].end_pos]
        line = piece[0].line
        try:
            _run_statement(script, statement, path)
        except CaseFailure as failure:
            raise CaseFailure(f"{path}:{line}: {failure}") from None


def _run_statement(script: _Script, statement: str, path: Path) -> None:
    included = _RUN_SCRIPT.match(statement)
    if included is not None:
        other = path.parent / included["path"].replace("''", "'")
        if script.depth >= _NESTED:
            raise KsqlError(f"RUN SCRIPT is nested more than {_NESTED} deep")
        if not other.is_file():
            raise KsqlError(f"RUN SCRIPT: there is no file {other}")
        script.depth += 1
        _run_text(script, other.read_text(encoding="utf-8"), other)
        script.depth -= 1
        return
    asserted = _ASSERT.match(statement)
    if asserted is None:
        script.topology.execute(statement)
        return
    what = " ".join(asserted["what"].upper().split())
    if what in ("STREAM", "TABLE"):
        _assert_source(script.topology, what, asserted["rest"])
    else:
        _assert_values(script, asserted["rest"], is_null=what == "NULL VALUES")


def _assert_values(script: _Script, rest: str, *, is_null: bool) -> None:
    """An assertion has the grammar of an INSERT, and means the record which that would write."""
    topology = script.topology
    text = _KEY.sub("VALUES ", rest) if is_null else rest
    command = Analyzer(topology.catalog).analyze(parse_one(f"INSERT INTO {text}").ast)
    if not isinstance(command, commands.InsertValues):
        raise KsqlError("ASSERT VALUES needs rows")
    target = command.target
    row = inserted_row(command)
    key, value = encoded_row(target, row)
    records = topology.rows(target.topic) or topology.records(target.topic)
    number = script.read[target.topic]
    script.read[target.topic] += 1
    if number >= len(records):
        raise CaseFailure(
            f"{target.name} has no record {number}: {len(records)} were written to {target.topic}\n"
            f"{difference([], records)}"
        )
    got = records[number]
    wanted: dict[str, Any] = {}
    wanted.update(_columns(topology, target.topic, key, None if is_null else value))
    shown = {"key": got.key, "value": got.value}
    if "ROWTIME" in row:
        wanted["timestamp"], shown["timestamp"] = row["ROWTIME"], got.timestamp
    if wanted != shown:
        raise CaseFailure(f"record {number} of {target.name} differs\n{difference([wanted], [shown])}")


def _columns(topology: Topology, topic: str, key: bytes | None, value: bytes | None) -> dict[str, Any]:
    row = topology.shown(topic, key, value)
    return {"key": row.key, "value": row.value}


def _assert_source(topology: Topology, kind: str, rest: str) -> None:
    name = parse_one(f"DESCRIBE {rest.split('(', maxsplit=1)[0].split(maxsplit=1)[0].rstrip(';')};").ast
    source = topology.catalog.find(getattr(name, "name", ""))
    if source is None:
        raise CaseFailure(f"there is no {kind.lower()} {getattr(name, 'name', rest)}")
    if source.kind.value != kind:
        raise CaseFailure(f"{source.name} is a {source.kind.value.lower()}")
    if "(" not in rest:
        return
    # checked against a catalog of its own, in which the name is free
    command = Analyzer(Topology().catalog).analyze(parse_one(f"CREATE {kind} {rest}").ast)
    if not isinstance(command, commands.CreateSource):
        raise KsqlError(f"ASSERT {kind} needs columns and a WITH clause")
    expected = command.source
    for what, want, got in (
        ("key columns", _schema(expected.schema.key), _schema(source.schema.key)),
        ("columns", _schema(expected.schema.value), _schema(source.schema.value)),
        ("topic", expected.topic, source.topic),
        ("key format", expected.key_format.name, source.key_format.name),
        ("value format", expected.value_format.name, source.value_format.name),
        ("timestamp", expected.timestamp, source.timestamp),
        ("window", expected.window, source.window),
    ):
        if want != got:
            raise CaseFailure(f"{source.name}: the {what} differ\n  expected: {want}\n  actual:   {got}")


def _schema(columns: Sequence[Any]) -> str:
    return ", ".join(f"{column.name} {column.type}" for column in columns)


def _listed(path: Path, name: str) -> list[Mapping[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    listed = document.get(name) if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) and "topic" in each for each in listed):
        raise ValueError(f'{path} must be {{"{name}": [{{"topic": ..., "key": ..., "value": ...}}, ...]}}')
    return listed


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
