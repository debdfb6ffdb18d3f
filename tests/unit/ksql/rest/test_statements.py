"""Statements over ``POST /ksql`` that change or check what exists."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from services.ksql.app import core_options
from services.ksql.model.schema import TopicInfo
from services.ksql.runtime.core import Core
from services.ksql.settings import Settings
from tests.unit.ksql.rest.replay import Lab, lab

_CLICKS = "CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=1);"


async def ksql(server: Lab, text: str) -> Any:
    body = {"ksql": text, "streamsProperties": {"auto.offset.reset": "earliest"}}
    return (await server.client.post("/ksql", json=body)).json()


async def test_queries_made_after_alter_see_the_new_column_and_running_ones_go_on() -> None:
    async with lab() as server:
        await ksql(server, _CLICKS + "CREATE STREAM before AS SELECT * FROM clicks;")
        answer = (
            await ksql(server, "ALTER STREAM clicks ADD COLUMN m INT; CREATE STREAM after AS SELECT * FROM clicks;")
        )[0]
        server.broker.produce("clicks", b"a", json.dumps({"n": 1, "m": 2}).encode(), 1_000)
        await server.quiet()
        values = {name: [r.value for r in server.broker.records(name)] for name in ("BEFORE", "AFTER")}
        described = (await ksql(server, "DESCRIBE clicks;"))[0]["sourceDescription"]
    assert answer["commandId"] == "stream/`CLICKS`/alter"
    assert answer["commandStatus"] == {"status": "SUCCESS", "message": "Stream CLICKS altered.", "queryId": None}
    assert values == {"BEFORE": [b'{"N":1}'], "AFTER": [b'{"N":1,"M":2}']}
    assert [field["name"] for field in described["fields"]] == ["K", "N", "M"]


async def test_an_altered_source_is_the_same_after_a_restart() -> None:
    async with lab() as server:
        await ksql(server, _CLICKS + "CREATE STREAM before AS SELECT * FROM clicks; ALTER STREAM clicks ADD m INT;")
        await ksql(server, "CREATE STREAM after AS SELECT * FROM clicks;")
        catalog = server.core.command_runner.catalog
        restarted = Core(server.broker, core_options(Settings()))
        await restarted.command_runner.restore()
        assert list(restarted.command_runner.catalog.sources()) == list(catalog.sources())
        assert list(restarted.command_runner.catalog.queries()) == list(catalog.queries())


_MISMATCHES = """Mismatched configuration for topic clicks: For config partitions, expected apples got 1
Mismatched configuration for topic clicks: For config replicas, expected 100 got 1
Cannot assert unknown topic property: OWNER"""


async def test_a_topic_that_is_as_asserted() -> None:
    async with lab() as server:
        text = "ASSERT TOPIC clicks WITH (PARTITIONS=1, REPLICAS=1); ASSERT NOT EXISTS TOPIC `nosuch`;"
        found, missing = (await ksql(server, _CLICKS + text))[1:]
    assert (found["@type"], found["topicName"], found["exists"]) == ("assert_topic", "clicks", True)
    assert (missing["@type"], missing["topicName"], missing["exists"]) == ("assert_topic", "nosuch", False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ASSERT TOPIC nosuch TIMEOUT 0 SECONDS;", "Topic nosuch does not exist"),
        ("ASSERT NOT EXISTS TOPIC clicks TIMEOUT 1 MILLISECOND;", "Topic clicks exists"),
        ("ASSERT TOPIC clicks WITH (PARTITIONS='apples', REPLICAS=100, owner='me') TIMEOUT 0 SECONDS;", _MISMATCHES),
    ],
)
async def test_a_topic_that_is_not_as_asserted_stops_the_request(text: str, message: str) -> None:
    async with lab() as server:
        await ksql(server, _CLICKS)
        answer = await server.client.post("/ksql", json={"ksql": f"{text} DROP STREAM clicks;"})
        left = (await ksql(server, "SHOW STREAMS;"))[0]["streams"]
    assert answer.status_code == 417
    assert answer.json() == {"@type": "generic_error", "error_code": 41700, "message": message}
    assert [stream["name"] for stream in left] == ["CLICKS"]


async def test_an_assertion_waits_for_its_topic() -> None:
    async with lab() as server, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(ksql(server, "ASSERT TOPIC later TIMEOUT 10 MINUTES;"))
        assert (await ksql(server, "SHOW STREAMS;"))[0]["streams"] == []
        await server.broker.create_topic(TopicInfo("later", 1, 1))
        assert (await asked)[0]["exists"] is True


async def test_set_and_unset_act_on_the_statements_after_them_and_are_shown() -> None:
    async with lab() as server:
        text = "SET 'auto.offset.reset'='latest'; SHOW PROPERTIES; UNSET 'auto.offset.reset'; SHOW PROPERTIES;"
        during, after = await ksql(server, text)
    entry = next(entry for entry in during["properties"] if entry["name"] == "ksql.streams.auto.offset.reset")
    assert entry["value"] == "latest"
    assert during["overwrittenProperties"] == ["ksql.streams.auto.offset.reset"]
    assert "ksql.streams.auto.offset.reset" not in during["defaultProperties"]
    assert after["overwrittenProperties"] == []
    assert "ksql.streams.auto.offset.reset" in after["defaultProperties"]


async def test_set_of_a_value_that_the_property_has_not_changes_nothing() -> None:
    async with lab() as server:
        answer = await ksql(server, _CLICKS + "SET 'auto.offset.reset'='sometimes';")
        left = (await ksql(server, "SHOW STREAMS;"))[0]["streams"]
    assert answer["message"].startswith("Failed to coerce type of value 'sometimes' for key 'auto.offset.reset'")
    assert left == []


async def test_variables_are_defined_within_a_request() -> None:
    async with lab() as server:
        text = "DEFINE name='clicks'; DEFINE both='${name}_2'; DESCRIBE ${name}; SHOW VARIABLES; UNDEFINE name; SHOW VARIABLES;"
        described, both, left = (await ksql(server, _CLICKS + text))[1:]
    assert described["sourceDescription"]["name"] == "CLICKS"
    assert both["variables"] == [{"name": "both", "value": "clicks_2"}, {"name": "name", "value": "clicks"}]
    assert left["variables"] == [{"name": "both", "value": "clicks_2"}]
