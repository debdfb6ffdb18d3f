"""The KSQL surface under hostile text: an answer in ksqlDB's own form, soon, and never an unexpected error."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ksql.errors import KsqlError
from services.ksql.rest.errors import RestError
from services.ksql.rest.statements import TopicPattern
from services.ksql.sql.parser import parse
from tests.drill import bound
from tests.patience import WORK_S, eventually
from tests.unit.ksql.rest.replay import Lab, lab

N = 5_000
HOSTILE = {
    "brackets": "SELECT " + "(" * N + "1" + ")" * N + " FROM S EMIT CHANGES;",
    "open brackets": "SELECT " + "(" * N,
    "NOT": "SELECT * FROM S WHERE " + "NOT " * N + "true EMIT CHANGES;",
    "minus": "SELECT " + "- " * N + "1 FROM S EMIT CHANGES;",
    "sum": "SELECT " + "1+" * N + "1 FROM S EMIT CHANGES;",
    "AND": "CREATE STREAM D AS SELECT * FROM S WHERE " + "a = 1 AND " * 140 + "a = 1 EMIT CHANGES;",
    "CASE": "SELECT " + "CASE WHEN true THEN " * N + "1" + " END" * N + " FROM S EMIT CHANGES;",
    "calls": "SELECT " + "ABS(" * N + "1" + ")" * N + " FROM S EMIT CHANGES;",
    "types": "CREATE STREAM X (a " + "ARRAY<" * N + "INT" + ">" * N + ") WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON');",
    "digits": "SELECT " + "9" * N + " FROM S EMIT CHANGES;",
    "negative digits": "SELECT -" + "9" * N + " FROM S EMIT CHANGES;",
    "exponent": "SELECT 1e" + "9" * 400 + " FROM S EMIT CHANGES;",
    "limit": "SELECT * FROM S EMIT CHANGES LIMIT " + "9" * N + ";",
    "unfinished text": "SELECT '" + "''" * 50_000,
    "comments": "/*" * 50_000,
    "semicolons": ";" * 50_000,
    "variables": "${" * 25_000,
    "look-alike column": "CREATE STREAM D AS SELECT \u0430 FROM S EMIT CHANGES;",
    "look-alike in back-ticks": "CREATE STREAM D AS SELECT `\u0410` FROM S EMIT CHANGES;",
    "null byte": "SELECT \x00 FROM S EMIT CHANGES;",
    "right to left": "DROP STREAM \u202eS;",
    "partitions": "CREATE STREAM Y (a INT) WITH (KAFKA_TOPIC='y', VALUE_FORMAT='JSON', PARTITIONS=99999999);",
    "no partitions": "CREATE STREAM Y (a INT) WITH (KAFKA_TOPIC='y', VALUE_FORMAT='JSON', PARTITIONS=-5);",
    "topic in a folder": "CREATE STREAM Y (a INT) WITH (KAFKA_TOPIC='../../x', VALUE_FORMAT='JSON', PARTITIONS=1);",
    "topic above": "CREATE STREAM Y (a INT) WITH (KAFKA_TOPIC='..', VALUE_FORMAT='JSON', PARTITIONS=1);",
    "topic with a null byte": "CREATE STREAM Y (a INT) WITH (KAFKA_TOPIC='y\x00', VALUE_FORMAT='JSON', PARTITIONS=1);",
    "topic look-alike": "CREATE STREAM Y (a INT) WITH (KAFKA_TOPIC='\u0443', VALUE_FORMAT='JSON', PARTITIONS=1);",
}


async def make_stream(ksql: Lab) -> None:
    text = "CREATE STREAM S (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);"
    assert (await ksql.client.post("/ksql", json={"ksql": text})).status_code == 200


async def test_hostile_statements_are_refused_and_change_nothing() -> None:
    async with lab() as ksql, asyncio.timeout(WORK_S):
        await make_stream(ksql)
        for name, text in HOSTILE.items():
            answer = await ksql.client.post("/ksql", json={"ksql": text})
            assert answer.status_code == 400, (name, answer.status_code, answer.text[:300])
            assert answer.json()["@type"] in ("statement_error", "generic_error"), name
        shown = (await ksql.client.post("/ksql", json={"ksql": "SHOW STREAMS;"})).json()
        assert [stream["name"] for stream in shown[0]["streams"]] == ["S"]


async def test_the_deepest_statement_that_is_taken_runs() -> None:
    """Also when it is shown, explained, and worked on: every stage fits the bound."""
    async with lab() as ksql, asyncio.timeout(WORK_S):
        await make_stream(ksql)
        condition = "a = 1 OR " * 90 + "a = 1"
        made = await ksql.client.post("/ksql", json={"ksql": f"CREATE STREAM D AS SELECT * FROM S WHERE {condition};"})
        assert made.status_code == 200, made.text
        for text in ("INSERT INTO S (a) VALUES (1);", "DESCRIBE D EXTENDED;", "SHOW QUERIES EXTENDED;"):
            assert (await ksql.client.post("/ksql", json={"ksql": text})).status_code == 200
        await ksql.quiet()
        queries = (await ksql.client.post("/ksql", json={"ksql": "SHOW QUERIES;"})).json()[0]["queries"]
        assert [query["state"] for query in queries] == ["RUNNING"]


_WORDS = """
CREATE STREAM TABLE AS SELECT FROM WHERE GROUP BY HAVING PARTITION WINDOW TUMBLING HOPPING SESSION ( ) , ; * S a `a` 'x' 1
-1 1.5 1e9 SIZE 1 MINUTE GRACE PERIOD EMIT CHANGES FINAL LIMIT JOIN ON WITHIN INSERT INTO VALUES DROP IF EXISTS TERMINATE
ALL SHOW QUERIES DESCRIBE EXPLAIN SET DEFINE x = '1' ${x} PRINT CASE WHEN THEN ELSE END CAST INT ARRAY < > [ ] -> AND OR NOT
LIKE BETWEEN IN IS NULL COUNT(*) SUM(a) WITH (KAFKA_TOPIC='t',VALUE_FORMAT='JSON',PARTITIONS=1) PRIMARY KEY
"""
WORDS = st.sampled_from(_WORDS.split())
TEXTS = st.lists(WORDS | st.text(max_size=4), max_size=25).map(" ".join)


@given(text=TEXTS | st.text(max_size=200))
@settings(max_examples=bound(400, 50_000))
def test_random_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse(text)
    except KsqlError as error:
        assert error.message


@given(texts=st.lists(TEXTS, min_size=20, max_size=20))
@settings(max_examples=bound(5, 500), suppress_health_check=list(HealthCheck))
async def test_random_statements_get_an_answer_of_ksqldb(texts: list[str]) -> None:
    async with lab() as ksql, asyncio.timeout(WORK_S):
        await make_stream(ksql)
        for text in texts:
            answer = await ksql.client.post("/ksql", json={"ksql": text})
            assert answer.headers["content-type"].startswith("application/json"), (text, answer.text)
            assert answer.status_code == 200 or "@type" in answer.json(), text


@pytest.mark.parametrize(
    "path", ["/ksql", "/query", "/query-stream", "/close-query", "/inserts-stream", "/ksql/terminate"]
)
async def test_hostile_bodies_get_an_answer_of_ksqldb(path: str) -> None:
    bodies = (
        b"[" * 100_000, b'{"ksql": NaN}', b'{"ksql": ' + b"9" * 5_000 + b"}", b'{"ksql": "\xff"}', b'{"ksql": "\\ud800"}',
        b'{"sql": 1, "target": {}, "queryId": [], "deleteTopicList": {}}', b"null", b'{"ksql": "SHOW STREAMS;", "properties": 5}',
        b'{"ksql": "SHOW STREAMS;", "sessionVariables": {"a": {}}}', b'{"commandSequenceNumber": 1e99}', b"\x00", b'"\x00"',
    )  # fmt: skip
    async with lab() as ksql, asyncio.timeout(WORK_S):
        for body in bodies:
            answer = await ksql.client.post(path, content=body)
            assert answer.status_code < 500, (body[:60], answer.text[:200])
            assert answer.status_code == 200 or "@type" in answer.json(), (body[:60], answer.text[:200])


@pytest.mark.parametrize("pattern", ["(a+)+b", "(", "a*a*a*b", "(?=x)", "x" * 301, "(a|a)*", "[a-z]{1,9}{1,9}.*", "\\"])
def test_patterns_of_topics_cannot_keep_the_server_busy(pattern: str) -> None:
    with pytest.raises(RestError) as refused:
        TopicPattern(pattern)
    assert refused.value.status == 400


def test_patterns_of_topics() -> None:
    assert TopicPattern("topic[4-9]_.*").matches("topic5_PageView_Country")
    assert TopicPattern("a|b").matches("b")
    assert not TopicPattern("topic1").matches("topic10")


async def test_open_queries_are_bounded() -> None:
    async with lab(max_open_queries=1) as ksql:
        await make_stream(ksql)
        waiting = asyncio.create_task(
            ksql.client.post("/query-stream", json={"sql": "SELECT * FROM S EMIT CHANGES LIMIT 1;"})
        )

        async def inserted() -> bool:
            await ksql.client.post("/ksql", json={"ksql": "INSERT INTO S (a) VALUES (1);"})
            return waiting.done()

        await eventually(lambda: ksql.core.query_manager.transients, "the query runs")
        assert (await ksql.client.post("/query", json={"ksql": "SELECT * FROM S;"})).status_code == 429
        await eventually(inserted, "the query ends", every_s=0.05)
        assert (await waiting).status_code == 200
        assert (await ksql.client.post("/query", json={"ksql": "SELECT * FROM S;"})).status_code == 200
