"""Answers that a real ksqlDB 8.1 was seen to give, beyond the recorded transcripts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ksql.analysis.query import Planned, QueryPlanner
from services.ksql.model.schema import TopicInfo
from services.ksql.rest.statements import StatementService
from tests.unit.ksql.rest.replay import Lab, lab

_CLICKS = "CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=1);"
_EARLIEST = {"auto.offset.reset": "earliest"}


async def ksql(server: Lab, text: str, **properties: str) -> Any:
    answer = await server.client.post("/ksql", json={"ksql": text, "streamsProperties": _EARLIEST | properties})
    return answer.json()


async def stream(server: Lab, text: str, properties: dict[str, str] | None = None) -> str:
    body = {"sql": text, "properties": properties or {}}
    answer = await server.client.post("/query-stream", json=body, headers={"accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_paused_query_runs_by_its_state_and_is_paused_by_its_counts() -> None:
    async with lab() as server:
        await ksql(server, _CLICKS + "CREATE STREAM copies AS SELECT * FROM clicks;")
        await ksql(server, "PAUSE ALL;")
        (query,) = (await ksql(server, "SHOW QUERIES;"))[0]["queries"]
        described = (await ksql(server, "DESCRIBE clicks;"))[0]["sourceDescription"]["readQueries"][0]
        explained = (await ksql(server, f"EXPLAIN {query['id']};"))[0]["queryDescription"]
    for entry in (query, described):
        assert (entry["state"], entry["statusCount"]) == ("RUNNING", {"PAUSED": 1})
    assert explained["state"] == "RUNNING"


async def test_without_a_record_cache_every_update_comes_out_and_reaches_the_next_query() -> None:
    distinct = """
        SET 'cache.max.bytes.buffering' = '0';
        CREATE TABLE firsts WITH (KAFKA_TOPIC='firsts', VALUE_FORMAT='JSON') AS
          SELECT k, COUNT(*) AS c, LATEST_BY_OFFSET(n) AS n FROM clicks GROUP BY k;
        CREATE STREAM changes (k VARCHAR KEY, c BIGINT, n INT) WITH (KAFKA_TOPIC='firsts', VALUE_FORMAT='JSON');
        CREATE STREAM first_events AS SELECT k, n FROM changes WHERE c = 1;
    """
    async with lab() as server:
        await server.broker.create_topic(TopicInfo("clicks", 1, 1))
        for number in range(5):  # all of them are there before the queries start: one commit takes them together
            for key in "ab":
                server.broker.produce("clicks", key.encode(), json.dumps({"n": number}).encode(), 1_000 + number)
        await ksql(server, _CLICKS + distinct)
        await server.quiet()
        updates = [json.loads(record.value or b"")["C"] for record in server.broker.records("firsts")]
        found = [(record.key, record.value) for record in server.broker.records("FIRST_EVENTS")]
    assert sorted(updates) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert found == [(b"a", b'{"N":0}'), (b"b", b'{"N":0}')]


async def test_with_a_record_cache_updates_between_two_commits_are_one() -> None:
    async with lab() as server:
        await server.broker.create_topic(TopicInfo("clicks", 1, 1))
        for number in range(5):
            server.broker.produce("clicks", b"a", json.dumps({"n": number}).encode(), 1_000 + number)
        await ksql(
            server,
            _CLICKS
            + "CREATE TABLE counts WITH (KAFKA_TOPIC='counts') AS SELECT k, COUNT(*) AS c FROM clicks GROUP BY k;",
        )
        await server.quiet()
        assert [json.loads(r.value or b"")["C"] for r in server.broker.records("counts")] == [5]


@pytest.mark.parametrize("value", ["x", "-1", "1_000"])
async def test_a_size_that_is_none_is_refused(value: str) -> None:
    async with lab() as server:
        for answer in (
            await ksql(server, f"SET 'cache.max.bytes.buffering' = '{value}';"),
            await ksql(server, "SHOW STREAMS;", **{"ksql.streams.cache.max.bytes.buffering": value}),
        ):
            assert answer["error_code"] == 40000
            assert f"'{value}'" in answer["message"]


async def test_an_unknown_property_is_ignored_by_one_endpoint_only() -> None:
    async with lab() as server:
        await ksql(server, _CLICKS)
        assert await stream(server, "SELECT * FROM clicks;", {"no.such": "x"})
        body = {"ksql": "SELECT * FROM clicks;", "streamsProperties": {"no.such": "x"}}
        assert (await server.client.post("/query", json=body)).status_code == 500


async def test_one_json_array_is_one_line() -> None:
    async with lab() as server:
        await ksql(server, _CLICKS)
        for number in range(2):
            server.broker.produce("clicks", b"a", json.dumps({"n": number}).encode(), 1_000)
        text = await stream(server, "SELECT n FROM clicks;", _EARLIEST)
    assert "\n" not in text.strip()
    assert json.loads(text)[1:] == [[0], [1]]


async def test_variables_are_listed() -> None:
    async with lab() as server:
        both = await ksql(server, "DEFINE b='2'; DEFINE a='1'; SHOW VARIABLES; UNDEFINE b; SHOW VARIABLES;")
    first, second = (entry["variables"] for entry in both)
    assert first == [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    assert second == [{"name": "a", "value": "1"}]


@pytest.mark.parametrize("what", ["CONNECTORS", "SOURCE CONNECTORS", "SINK CONNECTORS", "CONNECTOR PLUGINS"])
async def test_connectors_cannot_be_listed_without_kafka_connect(what: str) -> None:
    async with lab() as server:
        answer = await server.client.post("/ksql", json={"ksql": f"SHOW {what};"})
    assert (answer.status_code, answer.json()["error_code"]) == (500, 50000)
    assert "Connection refused" in answer.json()["message"]


async def test_topics_of_others_are_listed_and_those_of_kafka_are_not() -> None:
    async with lab() as server:
        for name in ("clicks", "_connect_offsets", "__consumer_offsets", "__transaction_state", "_schemas"):
            await server.broker.create_topic(TopicInfo(name, 1, 1))
        usual = {topic["name"] for topic in (await ksql(server, "SHOW TOPICS;"))[0]["topics"]}
        every = {topic["name"] for topic in (await ksql(server, "LIST ALL TOPICS;"))[0]["topics"]}
    assert usual == {"clicks", "_connect_offsets"}
    assert every > usual | {"_schemas"}
    assert not every & {"__consumer_offsets", "__transaction_state"}


async def test_extended_topics_count_the_queries_that_read_them() -> None:
    async with lab() as server:
        await ksql(server, _CLICKS + "CREATE STREAM copies AS SELECT * FROM clicks;")
        (listed,) = await ksql(server, "SHOW TOPICS EXTENDED;")
    counts = {t["name"]: (t["consumerCount"], t["consumerGroupCount"]) for t in listed["topics"]}
    assert counts == {"clicks": (1, 1), "COPIES": (0, 0)}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "CREATE TABLE x AS SELECT k, COUNT(*) FROM clicks GROUP BY nocol;",
            "Could not determine output schema for query due to error: Line: 1, Col: 59: GROUP BY column 'NOCOL' cannot be resolved.",
        ),
        ("CREATE TABLE x AS SELECT k, NOFUNC(n) FROM clicks;", "Can't find any functions with the name 'NOFUNC'"),
        (
            "CREATE STREAM x AS SELECT k, NOFUNC(n) FROM clicks;",
            "Could not determine output schema for query due to error: Can't find any functions with the name 'NOFUNC'",
        ),
        ("SELECT a->b FROM clicks EMIT CHANGES;", None),
    ],
)
async def test_errors_of_statements(statement: str, message: str | None) -> None:
    async with lab() as server:
        await ksql(server, _CLICKS)
        answer = await ksql(server, statement)
    assert answer["error_code"] in (40001, 40002)
    assert message is None or answer["message"] == message


@pytest.mark.parametrize("text", ["SELEC 1;", "SELECT * FROM;", "SELECT * FRM x;"])
async def test_a_syntax_error_has_its_cause_on_one_endpoint_only(text: str) -> None:
    async with lab() as server:
        query = (await server.client.post("/query", json={"ksql": text})).json()["message"]
        other = (await server.client.post("/query-stream", json={"sql": text})).json()["message"]
    place = query.partition(": ")[0]
    assert query == f"{other}\nCaused by: {place}: Syntax error at {place}"


async def test_statistics_are_gone_with_the_query() -> None:
    async with lab() as server:
        await ksql(server, _CLICKS + "CREATE STREAM copies AS SELECT * FROM clicks;")
        await ksql(server, "TERMINATE ALL;")
        described = (await ksql(server, "DESCRIBE copies EXTENDED;"))[0]["sourceDescription"]
    assert described["statistics"] == ""


async def test_printing_a_topic_that_is_not_there() -> None:
    async with lab() as server:
        answer = (await server.client.post("/query", json={"ksql": "PRINT 'nope';"})).json()
    assert answer["@type"] == "generic_error"
    assert answer["message"].startswith("Could not find topic 'nope'")


async def test_an_insert_query_has_the_id_that_was_chosen() -> None:
    into = "INSERT INTO copies WITH (QUERY_ID='{}') SELECT * FROM clicks;"
    async with lab() as server:
        await ksql(server, _CLICKS + "CREATE STREAM copies AS SELECT * FROM clicks;")
        assert (await ksql(server, into.format("my_id")))[0]["commandStatus"]["queryId"] == "MY_ID"
        assert "already exists" in (await ksql(server, into.format("My_Id")))["message"]
        assert "only alphanumeric" in (await ksql(server, into.format("a-b")))["message"]
        assert "reserved query ID prefix" in (await ksql(server, into.format("ctas_x")))["message"]
        unknown = into.replace("QUERY_ID", "KAFKA_TOPIC").format("x")
        assert "Invalid config variable(s) in the WITH clause: KAFKA_TOPIC" in (await ksql(server, unknown))["message"]
        await ksql(server, "TERMINATE my_id;")
        left = (await ksql(server, "SHOW QUERIES;"))[0]["queries"]
    assert [query["id"] for query in left] == ["CSAS_COPIES_1"]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each query that was planned."""
    names: list[str] = []
    plan = QueryPlanner.plan

    def counted(planner: QueryPlanner) -> Planned:
        names.append("plan")
        return plan(planner)

    monkeypatch.setattr(QueryPlanner, "plan", counted)
    return names


_TWO = "CREATE STREAM small AS SELECT * FROM clicks WHERE n < 9; CREATE STREAM big AS SELECT * FROM clicks WHERE n > 9;"


async def test_each_query_of_a_request_is_planned_once(planned: list[str]) -> None:
    async with lab() as server:
        await ksql(server, _CLICKS)
        await ksql(server, "SET 'auto.offset.reset' = 'earliest'; " + _TWO)
        queries = (await ksql(server, "SHOW QUERIES;"))[0]["queries"]
    assert len(planned) == len(queries) == 2


async def test_a_query_over_a_topic_that_the_request_makes_is_planned_again_when_the_topic_is_there(
    planned: list[str],
) -> None:
    async with lab() as server:
        server.broker.brokers = 3
        made = await ksql(server, _CLICKS + "CREATE STREAM a AS SELECT * FROM clicks;")
    assert len(planned) == 2
    assert "REPLICAS=3" in made[1]["statementText"]  # as many as the topic of clicks got


async def test_a_query_is_planned_again_if_the_catalog_was_changed_since(
    planned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    try_all = StatementService._try
    between = ["DROP STREAM clicks;"]

    async with lab() as server:
        await ksql(server, _CLICKS)

        async def interrupted(service: StatementService, statements: Any, properties: Any) -> Any:
            tried = await try_all(service, statements, properties)
            if between:
                await ksql(server, between.pop())
            return tried

        monkeypatch.setattr(StatementService, "_try", interrupted)
        answer = await ksql(server, _TWO)
        queries = (await ksql(server, "SHOW QUERIES;"))[0]["queries"]
    assert "CLICKS does not exist" in answer["message"]
    assert queries == []
    assert len(planned) == 2


async def test_a_query_can_be_ended_by_the_request_that_started_it() -> None:
    async with lab() as server:
        await ksql(server, _CLICKS)
        made = await ksql(server, "CREATE STREAM a AS SELECT * FROM clicks; TERMINATE CSAS_A_1;")
        assert made[0]["commandStatus"]["queryId"] == "CSAS_A_1"
        assert made[1]["commandStatus"]["status"] == "SUCCESS"
        assert (await ksql(server, "SHOW QUERIES;"))[0]["queries"] == []
