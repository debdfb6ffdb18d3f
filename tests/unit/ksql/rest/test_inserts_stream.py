"""``/inserts-stream``: the forms of its acknowledgements, and errors before the first row."""

from __future__ import annotations

import json

import pytest

from tests.unit.ksql.rest.replay import Lab, lab

_CREATE = "CREATE STREAM clicks (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=1);"
_OK = [{"status": "ok", "seq": 0}, {"status": "ok", "seq": 1}]


def body(target: str, *rows: dict[str, object]) -> str:
    return "\n".join(json.dumps(line) for line in ({"target": target}, *rows))


async def create(server: Lab) -> None:
    assert (await server.client.post("/ksql", json={"ksql": _CREATE})).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "application/vnd.ksqlapi.delimited.v1"])
async def test_acknowledgements_come_line_by_line(accept: str) -> None:
    async with lab() as server:
        await create(server)
        rows = body("clicks", {"k": "a", "n": 1}, {"k": "b", "n": 2})
        answer = await server.client.post("/inserts-stream", content=rows, headers={"accept": accept})
    assert answer.headers["content-type"] == "application/vnd.ksqlapi.delimited.v1"
    assert [json.loads(line) for line in answer.text.splitlines()] == _OK


async def test_acknowledgements_come_as_an_array_where_json_is_accepted() -> None:
    as_json = {"accept": "application/json"}
    async with lab() as server:
        await create(server)
        rows = body("clicks", {"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "c", "n": "x"}, {"k": "d", "n": 4})
        answer = await server.client.post("/inserts-stream", content=rows, headers=as_json)
        empty = await server.client.post("/inserts-stream", content=body("clicks"), headers=as_json)
    assert answer.headers["content-type"] == "application/json"
    *accepted, refused = answer.json()
    assert accepted == _OK
    assert (refused["@type"], refused["seq"]) == ("InsertError", 2)
    assert empty.json() == []


async def test_an_unknown_target_is_a_bad_request() -> None:
    async with lab() as server:
        answer = await server.client.post("/inserts-stream", content=body("nosuch", {"k": "a"}))
        nameless = await server.client.post("/inserts-stream", content='{"topic": "x"}')
        broken = await server.client.post("/inserts-stream", content="[1]")
    assert answer.json() == {
        "@type": "generic_error",
        "error_code": 40001,
        "message": "Cannot insert values into an unknown stream/table: `NOSUCH`",
    }
    assert nameless.json()["message"].startswith("Invalid JSON in request: Missing required creator property 'target'")
    assert {answer.status_code, nameless.status_code, broken.status_code} == {400}


async def test_a_column_that_the_target_does_not_have_is_ignored() -> None:
    async with lab() as server:
        await create(server)
        answer = await server.client.post("/inserts-stream", content=body("clicks", {"k": "a", "n": 1, "more": [1]}))
        assert answer.text == '{"seq":0,"status":"ok"}\n'
        assert [record.value for record in server.broker.records("clicks")] == [b'{"N":1}']
