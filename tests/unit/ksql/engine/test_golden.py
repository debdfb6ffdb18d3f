"""The engine against what a real server did with the same records."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest

from services.ksql.engine.records import InputRecord
from services.ksql.model.schema import KeyWindow, WindowType
from services.ksql.serde.base import split_window
from services.ksql.testing import Topology
from tests.golden import document, lines
from tests.unit.ksql.engine.golden import SINKS, deliver, key_bytes, pipeline, same, same_value


@pytest.fixture(scope="module")
def fed() -> Topology:
    topology = pipeline()
    for record in lines("inputs.jsonl"):
        deliver(topology, record)
    return topology


@pytest.mark.parametrize("topic", SINKS)
def test_every_record_in_order(fed: Topology, topic: str) -> None:
    wanted = lines(f"updates/{topic}.jsonl")
    got = fed.outputs[topic]
    for number, (one, want) in enumerate(zip(got, wanted, strict=False)):
        assert same(one, want), f"{topic}[{number}]: {one} for {want}"
    assert len(got) == len(wanted)


@pytest.mark.parametrize("topic", [t for t in SINKS if t != "pageview_enriched"])
def test_final_state(fed: Topology, topic: str) -> None:
    last = {record.key: record.value for record in fed.outputs[topic]}
    alive = {key: json.loads(value) for key, value in last.items() if value is not None}
    wanted = document("final.json")["a"][topic]
    assert len(alive) == len(wanted)
    kind = WindowType.SESSION if topic.startswith("topic8") else WindowType.TUMBLING
    for entry in wanted:
        found = [
            value
            for key, value in alive.items()
            if key is not None
            and _key(key, entry, kind) == (entry["key"], entry["window"] and entry["window"]["start"])
        ]
        assert len(found) == 1, entry
        assert same_value(found[0], entry["value"]), (found[0], entry)


def _key(data: bytes, entry: dict[str, object], kind: WindowType) -> tuple[object, int | None]:
    if entry["window"] is None:
        return int.from_bytes(data, "big", signed=True), None
    plain, window = split_window(data, KeyWindow(kind, 0))
    return plain.decode(), window[0]


def test_boundaries() -> None:
    edge = document("boundaries.json")
    topology = pipeline()
    for record in edge["inputs"]:
        deliver(topology, record)
    for topic, wanted in edge["updates"].items():
        got = topology.outputs[topic]
        for number, (one, want) in enumerate(zip(got, wanted, strict=False)):
            assert same(one, want), f"{topic}[{number}]: {one} for {want}"
        assert len(got) == len(wanted)


def test_each_edge_case_of_phase_5() -> None:
    """What each single record became, or that it was skipped."""
    topology = pipeline()
    inputs = lines("inputs.jsonl")
    cases = {case["line"]: case for case in lines("phase5.jsonl")}
    assert len(cases) > 80
    for number, record in enumerate(inputs, 1):
        before = {topic: len(topology.outputs[topic]) for topic in SINKS}
        deliver(topology, record)
        case = cases.get(number)
        if case is None:
            continue
        assert case["topic"] == record["topic"]
        new = {topic: topology.outputs[topic][before[topic] :] for topic in SINKS}
        if "skipped" in case:
            assert not any(new.values()), case
            continue
        for topic, became in case["became"].items():
            _check(new[topic], became, f"line {number}, {topic}, key {key_bytes(record)!r}")


def _check(got: Sequence[InputRecord], became: object, where: str) -> None:
    if became is None:
        assert not got, where
    elif isinstance(became, str):
        found = re.match(r"(\d+)", became)
        assert found is not None, became
        assert len(got) == int(found[1]), where
    elif isinstance(became, list):
        # the recording counts a tombstone to the record that made the session, not to the one that extends it
        wanted = [w for w in became if w["value"] is not None] or became
        rows = [one for one in got if one.value is not None] or got
        assert len(rows) == len(wanted), where
        for one, want in zip(rows, wanted, strict=True):
            assert same_value(None if one.value is None else json.loads(one.value), want["value"]), (where, one, want)


def test_late_records_are_counted(fed: Topology) -> None:
    late = sum(query.stats.by_cause().get("late", 0) for query in fed.queries.values())
    assert late == len(lines("late.jsonl"))
