"""Failures between and inside transactions, over the in-memory broker: nothing is lost and nothing counted twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ksql.model.schema import TopicInfo
from services.ksql.runtime import committer, query_manager
from services.ksql.runtime.core import Core
from services.ksql.runtime.query_manager import EngineState
from tests.patience import eventually
from tests.unit.ksql.inline_runtime import InlineRuntime
from tests.unit.ksql.rest.replay import Lab, lab

_DDL = """
CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');
CREATE TABLE counts WITH (KAFKA_TOPIC='counts') AS
  SELECT k, COUNT(*) AS n, SUM(n) AS total FROM clicks GROUP BY k EMIT CHANGES;
"""


async def begin(server: Lab) -> None:
    await server.broker.create_topic(TopicInfo("clicks", 3, 1))
    body = {"ksql": _DDL, "streamsProperties": {"auto.offset.reset": "earliest"}}
    response = await server.client.post("/ksql", json=body)
    assert response.status_code == 200, response.text


def click(server: Lab, key: str, number: int) -> None:
    server.broker.produce("clicks", key.encode(), json.dumps({"n": number}).encode(), 1_000)


def results(server: Lab) -> dict[str, Any]:
    newest = {r.key: r.value for r in server.broker.records("counts")}
    return {k.decode(): json.loads(v) for k, v in newest.items() if k is not None and v is not None}


async def settled(server: Lab, wanted: dict[str, Any]) -> None:
    await eventually(lambda: results(server) == wanted, lambda: f"{wanted}, but there is {results(server)}")


async def states(server: Lab) -> list[str]:
    response = await server.client.post("/ksql", json={"ksql": "SHOW QUERIES;"})
    return [query["state"] for query in response.json()[0]["queries"]]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_failed_commit_is_neither_lost_nor_doubled(moment: str) -> None:
    async with lab() as server:
        await begin(server)
        click(server, "a", 1)
        await settled(server, {"a": {"N": 1, "TOTAL": 1}})
        for number in range(2, 6):
            server.broker.fail_next_write = moment
            click(server, "a", number)
            click(server, f"b{number}", number)
            expected = {f"b{n}": {"N": 1, "TOTAL": n} for n in range(2, number + 1)}
            await settled(server, {"a": {"N": number, "TOTAL": sum(range(number + 1))}, **expected})
        assert server.core.query_manager.failures >= 1


async def test_a_query_without_its_topic_runs_on_when_the_topic_is_there_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_manager, "_FIRST_RETRY_S", 0.05)
    async with lab() as server:
        await begin(server)
        click(server, "a", 1)
        await settled(server, {"a": {"N": 1, "TOTAL": 1}})
        await server.broker.delete_topic("counts")
        click(server, "b", 2)
        await eventually(lambda: server.core.query_manager.broken, "the query has failed")
        assert await states(server) == ["ERROR"]
        for order in ("PAUSE ALL;", "RESUME ALL;"):
            assert (await server.client.post("/ksql", json={"ksql": order})).status_code == 200
        await server.broker.create_topic(TopicInfo("counts", 3, 1))
        await settled(server, {"b": {"N": 1, "TOTAL": 2}})
        assert await states(server) == ["RUNNING"]
        click(server, "a", 3)
        await settled(server, {"a": {"N": 2, "TOTAL": 4}, "b": {"N": 1, "TOTAL": 2}})


async def test_a_second_server_takes_over_and_the_first_stops() -> None:
    async with lab() as server:
        await begin(server)
        click(server, "a", 1)
        await settled(server, {"a": {"N": 1, "TOTAL": 1}})
        second = InlineRuntime(Core(server.broker, server.core.options))
        await second.start()
        try:
            click(server, "a", 2)
            await settled(server, {"a": {"N": 2, "TOTAL": 3}})
            await eventually(
                lambda: server.core.query_manager.state is EngineState.FENCED, "the first server is fenced"
            )
            assert (await server.client.get("/readyz")).status_code == 503
        finally:
            await second.stop()


async def test_many_waiting_records_are_committed_before_the_interval_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "_MUCH", 5)
    monkeypatch.setattr(committer, "_SHORTEST", 0.0)
    async with lab() as server:
        await server.broker.create_topic(TopicInfo("clicks", 1, 1))
        body = {
            "ksql": _DDL.split("CREATE TABLE", maxsplit=1)[0]
            + "CREATE STREAM copied WITH (KAFKA_TOPIC='copied') AS SELECT * FROM clicks EMIT CHANGES;",
            "streamsProperties": {"auto.offset.reset": "earliest"},
        }
        assert (await server.client.post("/ksql", json=body)).status_code == 200
        await server.quiet()
        assert server.core.query_manager.committer is not None
        server.core.query_manager.committer._interval = 3_600.0
        click(server, "a", 0)
        queries = server.core.query_manager.queries
        await eventually(lambda: any(query.uncommitted for query in queries.values()), "one record waits", every_s=0)
        for number in range(1, 6):
            click(server, "a", number)
        await eventually(lambda: len(server.broker.records("copied")) == 6, "all records are committed")


async def test_nothing_is_written_while_nothing_happens() -> None:
    async with lab() as server:
        await begin(server)
        click(server, "a", 1)
        await settled(server, {"a": {"N": 1, "TOTAL": 1}})
        await server.quiet()
        before, polls = server.core.query_manager.transactions, server.broker.polls["clicks"]
        await eventually(lambda: server.broker.polls["clicks"] >= polls + 20, "the queries have polled 20 times more")
        assert server.core.query_manager.transactions == before


async def test_state_of_a_query_that_is_gone_is_deleted_at_the_next_start() -> None:
    async with lab() as server:
        await begin(server)
        click(server, "a", 1)
        await settled(server, {"a": {"N": 1, "TOTAL": 1}})
        await server.client.post("/ksql", json={"ksql": "TERMINATE ALL;"})
        second = InlineRuntime(Core(server.broker, server.core.options))
        await second.start()
        try:
            await eventually(lambda: second.core.query_manager.state is EngineState.RUNNING, "the second server runs")
            assert await second.core.query_manager.state_log.load() == {}
        finally:
            await second.stop()


async def test_malformed_records_are_counted_and_stop_nothing() -> None:
    async with lab() as server:
        await begin(server)
        for value in (b"{", b'{"n": "many"}', b"null", b'{"n": 1}'):
            server.broker.produce("clicks", b"a", value, 1_000)
        await settled(server, {"a": {"N": 1, "TOTAL": 1}})
        described = await server.client.post("/ksql", json={"ksql": "DESCRIBE clicks EXTENDED;"})
        errors = {e["name"]: e["value"] for e in described.json()[0]["sourceDescription"]["clusterErrorStats"]}
        assert errors["consumer-failed-messages"] == 3
        assert (
            'ksql_records_dropped_total{cause="malformed",query="CTAS_COUNTS_1"} 3.0'
            in (await server.client.get("/metrics")).text
        )


async def test_commands_replay_to_the_same_catalog_and_queries() -> None:
    statements = [
        "CREATE STREAM other (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='other', VALUE_FORMAT='JSON', PARTITIONS=2);",
        "CREATE STREAM big WITH (KAFKA_TOPIC='big') AS SELECT * FROM clicks WHERE n > 1 EMIT CHANGES;",
        "CREATE OR REPLACE STREAM big WITH (KAFKA_TOPIC='big') AS SELECT * FROM clicks WHERE n > 2 EMIT CHANGES;",
        "INSERT INTO other SELECT k, n FROM clicks EMIT CHANGES;",
        "CREATE STREAM gone AS SELECT * FROM other EMIT CHANGES;",
        "DROP STREAM gone DELETE TOPIC;",
        "PAUSE CTAS_COUNTS_1;",
    ]
    async with lab() as server:
        await begin(server)
        for statement in statements:
            response = await server.client.post("/ksql", json={"ksql": statement})
            assert response.status_code == 200, response.text
        first = server.core.command_runner
        second = InlineRuntime(Core(server.broker, server.core.options))
        await second.start()
        try:
            again = second.core.command_runner
            assert again.specs == first.specs
            assert list(again.catalog.sources()) == list(first.catalog.sources())
            assert again.statuses == first.statuses
            assert again.sequence == first.sequence
        finally:
            await second.stop()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_command_whose_write_failed_is_done_once_or_not_at_all(moment: str) -> None:
    statement = "CREATE STREAM late (k VARCHAR KEY) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');"
    async with lab() as server:
        await begin(server)
        await server.quiet()
        server.broker.fail_next_write = moment
        response = await server.client.post("/ksql", json={"ksql": statement})
        assert response.status_code == (200 if moment == "after" else 500), response.text
        listed = (await server.client.post("/ksql", json={"ksql": "LIST STREAMS;"})).json()[0]["streams"]
        assert ("LATE" in [s["name"] for s in listed]) == (moment == "after")


async def test_one_impossible_record_does_not_stop_the_others() -> None:
    async with lab() as server:
        await begin(server)
        ahead = (
            "CREATE STREAM stamped WITH (KAFKA_TOPIC='stamped', TIMESTAMP='t') AS "
            "SELECT k, CAST(n AS BIGINT) * 10000000000000 AS t FROM clicks EMIT CHANGES;"
        )
        body = {"ksql": ahead, "streamsProperties": {"auto.offset.reset": "earliest"}}
        assert (await server.client.post("/ksql", json=body)).status_code == 200
        click(server, "a", 1)
        click(server, "a", 0)
        await settled(server, {"a": {"N": 2, "TOTAL": 1}})
        await server.quiet()
        assert [r.timestamp for r in server.broker.records("stamped")] == [0]
