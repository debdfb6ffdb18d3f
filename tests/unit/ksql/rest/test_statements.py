"""Statements over ``POST /ksql`` that change or check what exists."""

from __future__ import annotations

import json
from typing import Any

from services.ksql.app import core_options
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
