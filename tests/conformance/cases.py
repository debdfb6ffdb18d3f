"""A case: what it says, how it is run, and whether it passed."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ksql.errors import KsqlError
from services.ksql.model.schema import DataSource
from services.ksql.model.types import BaseType
from services.ksql.testing import Row, Topology
from tests.conformance.functions import suite_functions


@dataclass(frozen=True, slots=True)
class Result:
    """``why`` is empty where the case passed. ``same_message`` is for cases that must fail."""

    file: str
    name: str
    must_fail: bool
    why: str
    same_message: bool = False

    @property
    def passed(self) -> bool:
        return not self.why


def load(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file name, case) of all cases of a folder, in order."""
    for path in sorted(folder.glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8"))["tests"]:
            yield path.name, case


def run(file: str, case: Mapping[str, Any]) -> Result:
    """Runs one case."""
    with suite_functions():
        return _run(file, case)


def _run(file: str, case: Mapping[str, Any]) -> Result:
    properties = {k: _text(v) for k, v in case.get("properties", {}).items() if v != "{CONFIG}"}
    topology = Topology(properties, now=int(time.time() * 1000))
    expected = case.get("expectedException")
    name = case["name"]
    try:
        # As one text, so that a message's line number counts from the first statement, as on the server.
        topology.execute("\n".join(case["statements"]))
        _feed(topology, case.get("inputs", ()))
    except KsqlError as error:
        if expected is None:
            return Result(file, name, must_fail=False, why=f"{type(error).__name__}: {error.message}")
        # The server's exception names the statement after its reason, and some cases quote that.
        same = _matches(f"{error.message}\nStatement: {error.statement}", expected.get("message"))
        return Result(file, name, must_fail=True, why="", same_message=same)
    except Exception as error:
        return Result(file, name, must_fail=expected is not None, why=f"defect: {type(error).__name__}: {error}")
    if expected is not None:
        return Result(file, name, must_fail=True, why=f"did not fail with: {expected.get('message')}")
    why = _compare(topology, case.get("outputs", ())) or _check_sources(topology, case.get("post", {}))
    return Result(file, name, must_fail=False, why=why)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _matches(message: str, wanted: Any) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, Mapping):
        return all(re.search(str(pattern), message, re.DOTALL) is not None for pattern in wanted.values())
    return str(wanted).strip() in message


def _feed(topology: Topology, inputs: Any) -> None:
    for record in inputs:
        if topology.source_of(record["topic"]) is None:
            continue
        window = record.get("window")
        topology.pipe(
            record["topic"],
            record.get("key"),
            record.get("value"),
            timestamp=record.get("timestamp", 0),
            headers=tuple(
                (h["KEY"], None if h.get("VALUE") is None else base64.b64decode(h["VALUE"]))
                for h in record.get("headers", ())
            ),
            window=None if window is None else (window["start"], window["end"]),
        )


def _compare(topology: Topology, outputs: Any) -> str:
    by_topic: dict[str, list[Mapping[str, Any]]] = {}
    for record in outputs:
        by_topic.setdefault(record["topic"], []).append(record)
    for topic, wanted in by_topic.items():
        source = topology.source_of(topic)
        if source is None:
            return f"nothing writes topic {topic}"
        got = topology.rows(topic)
        for number, record in enumerate(wanted):
            if number >= len(got):
                return f"{topic}: {len(got)} records, {len(wanted)} expected; the first missing is {json.dumps(record)}"
            row = got[number]
            wanted_record = {**record, "value": _numbers_as_such(record.get("value"), source)}
            if not _record_equal(wanted_record, row):
                return f"{topic}[{number}]: {row}, expected {json.dumps(record)}"
        if len(got) > len(wanted):
            extra = got[len(wanted)]
            return f"{topic}: {len(got)} records, {len(wanted)} expected; the first too many: {extra.key!r} {extra.value!r}"
    return ""


def _numbers_as_such(value: Any, source: DataSource) -> Any:
    """Some cases write the value of a DECIMAL column as a text."""
    if not isinstance(value, dict):
        return value
    decimals = {column.name.upper() for column in source.schema.value if column.type.base is BaseType.DECIMAL}
    return {n: float(v) if isinstance(v, str) and n.upper() in decimals else v for n, v in value.items()}


def _record_equal(wanted: Mapping[str, Any], row: Row) -> bool:
    if not _equal(wanted.get("key"), row.key) or not _equal(wanted.get("value"), row.value):
        return False
    if "timestamp" in wanted and wanted["timestamp"] != row.timestamp:
        return False
    bounds = wanted.get("window")
    return bounds is None or row.window is None or (bounds["start"], bounds["end"]) == row.window


def _equal(wanted: Any, got: Any) -> bool:
    """Numbers by value; the names of columns in any case, as some cases write them in lower case."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        if wanted.keys() != got.keys():
            wanted = {k.upper(): v for k, v in wanted.items()}
            got = {k.upper(): v for k, v in got.items()}
        # a field that is not there is NULL, on both sides
        return all(_equal(wanted.get(name), got.get(name)) for name in {**wanted, **got})
    if isinstance(wanted, list) and isinstance(got, list | tuple):
        return len(wanted) == len(got) and all(_equal(a, b) for a, b in zip(wanted, got, strict=True))
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    if isinstance(wanted, float) and isinstance(got, int | float):
        return wanted == got
    return bool(wanted == got)


def _check_sources(topology: Topology, post: Mapping[str, Any]) -> str:
    for wanted in post.get("sources", ()):
        source = topology.catalog.find(wanted["name"])
        if source is None:
            return f"there is no source {wanted['name']}"
        if "type" in wanted and source.kind.value.lower() != wanted["type"].lower():
            return f"{source.name} is a {source.kind.value}"
        if wanted.get("schema"):
            key = "KEY" if source.kind.value == "STREAM" else "PRIMARY KEY"
            columns = [f"{c.name} {c.type} {key}" for c in source.schema.key]
            columns += [f"{c.name} {c.type}{_header(c.header)}" for c in source.schema.value]
            if _plain(", ".join(columns)) != _plain(str(wanted["schema"])):
                return f"{source.name} has the schema {', '.join(columns)}, expected {wanted['schema']}"
        for side, form in (("keyFormat", source.key_format), ("valueFormat", source.value_format)):
            given = wanted.get(side)
            name = given.get("format") if isinstance(given, Mapping) else given
            if name is not None and name.upper() != form.name.upper():
                return f"{source.name} has the {side} {form.name}, expected {name}"
    return ""


def _header(header: str | None) -> str:
    return "" if header is None else f" HEADER('{header}')" if header else " HEADERS"


def _plain(schema: str) -> str:
    text = schema.replace("`", "").replace("VARCHAR", "STRING").replace("INTEGER", "INT").replace("PRIMARY KEY", "KEY")
    return " ".join(text.upper().replace(", ", ",").split())
