"""Records of topics and read-only SQL, over HTTP."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager

from services.provisioner import records, sql
from services.provisioner.app import create_app
from shared import topics
from shared.errors import Unprocessable
from tests.unit.provisioner.world import Record, World


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(world.settings, world.servers)
    async with (
        LifespanManager(app) as manager,
        httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://localhost") as client,
    ):
        yield client


@pytest.fixture
def views(world: World) -> str:
    """Thirty page views in two partitions; every fifth is of the inbox."""
    for n in range(30):
        value = f'{{"user_id": {n}, "source": "{"Inbox" if n % 5 == 0 else "Homepage"}"}}'
        world.kafka.append(topics.PAGE_VIEW, f"s{n}".encode(), value.encode(), 1_000 + n, partition=n % 2)
    return topics.PAGE_VIEW


async def page(client: httpx.AsyncClient, topic: str, **params: str | int) -> dict[str, Any]:
    answer = await client.get(f"/provisioner/topics/{topic}/records", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def times(found: dict[str, Any]) -> list[int]:
    return [record["timestamp"] - 1_000 for record in found["records"]]


async def test_the_newest_and_the_oldest_by_time_over_all_partitions(client: httpx.AsyncClient, views: str) -> None:
    newest = await page(client, views, limit=3)
    assert times(newest) == [27, 28, 29]
    assert newest["records"][-1]["value"] == {"user_id": 29, "source": "Homepage"}
    assert newest["partitions"] == [{"partition": p, "begin": 0, "end": 15} for p in (0, 1)]
    assert times(await page(client, views, limit=3, **{"from": "oldest"})) == [0, 1, 2]
    assert times(await page(client, views, limit=2, partition=1, at=5, **{"from": "offset"})) == [11, 13]


async def test_filters_by_key_and_by_text(client: httpx.AsyncClient, views: str) -> None:
    assert times(await page(client, views, key="s7")) == [7]
    inbox = await page(client, views, contains="inbox", limit=4)
    assert times(inbox) == [10, 15, 20, 25]
    assert (inbox["scanned"], inbox["complete"]) == (30, True)
    assert times(await page(client, views, contains="nowhere")) == []


async def test_a_bounded_look_says_that_it_is_not_complete(
    client: httpx.AsyncClient, views: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "SCAN", 10)
    found = await page(client, views, key="s1")
    assert (found["records"], found["scanned"], found["complete"]) == ([], 10, False)


async def test_windowed_keys_are_decoded_and_nothing_in_a_record_breaks_the_answer(
    client: httpx.AsyncClient, world: World
) -> None:
    topic = topics.PAGE_VIEW_TUMBLING
    world.kafka.append(topic, b"Inbox" + struct.pack(">q", 60_000), None, 1)
    world.kafka.append(topic, b"\xff\xfe", b'"\\ud83e"', 2)
    world.kafka.append(topic, None, b"\xff" * 9_000, 3)
    huge = b'{"n": ' + b"9" * 400 + b"}"
    world.kafka.records[topic].append(Record(0, 3, b"", huge, 4, (("trace", b"\xff"), ("none", None))))
    world.kafka.ends[topic][0] = 4
    tombstone, undecodable, binary, number = (await page(client, topic))["records"]
    window = (tombstone["key"], tombstone["window_start"], tombstone["window_end"], tombstone["value"])
    assert window == ("Inbox", 60_000, 120_000, None)
    assert undecodable["key"].startswith("undecodable: ff fe")
    assert set(binary["value"]) == {"cut"}
    assert binary["size"] == 9_000
    assert number["headers"] == [{"name": "trace", "value": "\ufffd"}, {"name": "none", "value": None}]


async def test_what_is_not_there_and_what_is_missing_is_said(client: httpx.AsyncClient, views: str) -> None:
    for path, status, words in (
        ("nothing/records", 404, "There is no topic nothing"),
        (f"{views}/records?partition=9", 404, "has no partition 9, only 0 to 1"),
        (f"{views}/records?from=time", 422, "needs at="),
        (f"{views}/records?from=offset&at=3", 422, "name it with partition="),
        (f"{views}/records?limit=201", 422, "limit"),
    ):
        answer = await client.get(f"/provisioner/topics/{path}")
        assert answer.status_code == status, path
        assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("select 1 from t", "select 1 from t LIMIT 100"),
        ("SELECT a FROM t -- all of it\n LIMIT 5;", "SELECT a FROM t  \n LIMIT 5"),
        ("SELECT ';' FROM t WHERE a = 'LIMIT 9999' LIMIT 1000", "SELECT ';' FROM t WHERE a = 'LIMIT 9999' LIMIT 1000"),
        ("SELECT a FROM t LIMIT 5, 10", "SELECT a FROM t LIMIT 5, 10"),
        ("WITH x AS (SELECT a FROM t) SELECT a FROM x", "WITH x AS (SELECT a FROM t) SELECT a FROM x LIMIT 100"),
    ],
)
def test_one_select_is_run_with_a_limit(text: str, run: str) -> None:
    assert sql.bounded(text, "pinot") == run


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DROP TABLE t", "must begin with SELECT"),
        ("/* SELECT */ INSERT INTO t VALUES (1)", "must begin with SELECT"),
        ("SELECT 1; DROP TABLE t", "one query at a time"),
        ("SELECT * FROM t LIMIT 1001", "at most 1,000 rows"),
        ("SELECT * FROM t LIMIT 0, 5000", "at most 1,000 rows"),
        ("SELECT * FROM t EMIT CHANGES", "EMIT CHANGES"),
        ("   ", "must begin with SELECT"),
        ("SET a = 1; SELECT * FROM t", "must begin with SELECT"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(text: str, words: str) -> None:
    with pytest.raises(Unprocessable, match=words):
        sql.bounded(text, "ksql")


async def test_sql_on_pinot_answers_rows_and_its_faults_are_the_askers(client: httpx.AsyncClient, world: World) -> None:
    body = {"engine": "pinot", "sql": "SELECT a, a FROM t"}
    world.pinot.script["POST", "/query/sql"] = [
        httpx.Response(
            200, json={"resultTable": {"dataSchema": {"columnNames": ["a", "a"]}, "rows": [[1, 1], [2, 2]]}}
        ),
        httpx.Response(200, json={"exceptions": [{"errorCode": 150, "message": "SQLParsingError:\n\tat x.Y"}]}),
        httpx.Response(200, json={"exceptions": [{"errorCode": 427, "message": "servers not responded"}]}),
    ]
    found = (await client.post("/provisioner/sql", json=body)).json()
    assert (found["columns"], found["rows"], found["sql"]) == (
        ["a", "a"],
        [[1, 1], [2, 2]],
        "SELECT a, a FROM t LIMIT 100",
    )
    refused = await client.post("/provisioner/sql", json=body)
    assert refused.status_code == 422
    assert refused.json()["detail"] == "Pinot broker: SQLParsingError:"
    assert (await client.post("/provisioner/sql", json=body)).status_code == 502
