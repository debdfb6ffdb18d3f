"""The recorded pipeline on the engine alone, fed with the recorded inputs."""

from __future__ import annotations

import json
from typing import Any

from services.ksql.engine.records import InputRecord
from services.ksql.testing import Topology
from tests import golden

SINKS = (
    "topic4_CleanedUsers",
    "pageview_enriched",
    "topic5_PageView_Country",
    "topic6_PageView_Tumbling",
    "topic7_PageView_Hopping",
    "topic8_PageView_Session",
    "topic9_UserSession_Device",
)


def pipeline() -> Topology:
    """A fresh catalog with all statements of pipeline.sql running."""
    topology = Topology()
    topology.execute(golden.text("pipeline.sql"))
    return topology


def key_bytes(record: dict[str, Any]) -> bytes | None:
    key = record["key"]
    if key is None:
        return None
    return key.to_bytes(4, "big", signed=True) if record["key_type"] == "INT" else str(key).encode()


def deliver(topology: Topology, record: dict[str, Any]) -> None:
    """Sends one recorded input."""
    value = record["value"]
    topology.pipe(
        record["topic"], key_bytes(record), None if value is None else value.encode(), timestamp=record["timestamp"]
    )


def same(got: InputRecord, want: dict[str, Any]) -> bool:
    """Whether an output is the recorded one. The recorded user_count is an estimate; it must be near the exact one."""
    if (got.key or b"").hex() != want["key_hex"] or got.timestamp != want["timestamp"]:
        return False
    return same_value(None if got.value is None else json.loads(got.value), want["value"])


def same_value(got: Any, want: Any) -> bool:
    if got is None or want is None:
        return got is want
    if "user_count" in want and abs(got["user_count"] - want["user_count"]) > 1:
        return False
    return {**got, "user_count": 0} == {**want, "user_count": 0} and list(got) == list(want)
