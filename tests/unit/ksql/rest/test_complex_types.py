"""Types of others over REST: CREATE TYPE and its kin, descriptions, rows that go in and come out."""

from __future__ import annotations

import json

from tests.unit.ksql.rest.replay import Lab, lab

_STRUCT = {
    "type": "STRUCT",
    "fields": [{"name": "CITY", "schema": {"type": "STRING", "fields": None, "memberSchema": None}}],
    "memberSchema": None,
}
_TYPE = "CREATE TYPE place AS STRUCT<city VARCHAR>;"
_TABLE = (
    "CREATE STREAM t (k INT KEY, p place, d DECIMAL(4, 2), l ARRAY<BIGINT>, m MAP<STRING, place>, b BYTES, y DATE) "
    "WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1);"
)


async def ksql(server: Lab, text: str) -> list[dict[str, object]]:
    answer = await server.client.post("/ksql", json={"ksql": text})
    assert answer.status_code == 200, answer.text
    answers: list[dict[str, object]] = answer.json()
    return answers


async def test_types_are_made_listed_and_dropped() -> None:
    async with lab() as server:
        (made,) = await ksql(server, _TYPE)
        (listed,) = await ksql(server, "SHOW TYPES;")
        again = await server.client.post("/ksql", json={"ksql": _TYPE})
        (skipped,) = await ksql(server, "CREATE TYPE IF NOT EXISTS place AS INT;")
        (dropped,) = await ksql(server, "DROP TYPE place;")
        (nothing,) = await ksql(server, "SHOW TYPES;")
    assert made["commandStatus"] == {
        "status": "SUCCESS",
        "message": "Registered custom type with name 'PLACE' and SQL type STRUCT<`CITY` STRING>",
        "queryId": None,
    }
    assert listed["types"] == {"PLACE": _STRUCT}
    assert again.status_code == 400
    assert "already registered" in again.json()["message"]
    assert skipped["@type"] == "warning_entity"
    assert "Dropped type 'PLACE'" in json.dumps(dropped)
    assert nothing["types"] == {}


async def test_rows_of_complex_types_go_in_and_come_out() -> None:
    async with lab() as server:
        await ksql(server, _TYPE + _TABLE)
        (described,) = await ksql(server, "DESCRIBE t;")
        await ksql(
            server,
            "INSERT INTO t (k, p, d, l, m) VALUES (1, STRUCT(city := 'Bonn'), 1.5, ARRAY[1, 2], MAP('a' := STRUCT(city := 'Ulm')));",
        )
        too_large = await server.client.post("/ksql", json={"ksql": "INSERT INTO t (k, d) VALUES (9, 100.5);"})
        row = {
            "k": 2,
            "p": {"city": "Rom"},
            "d": "2.25",
            "l": [3],
            "m": {"b": {"CITY": "Pisa"}},
            "b": "aGk=",
            "y": "1970-01-02",
        }
        bad = {"k": 3, "d": "x"}
        lines = "\n".join(json.dumps(line) for line in ({"target": "t"}, row, bad))
        inserted = await server.client.post("/inserts-stream", content=lines)
        answer = await server.client.post("/query-stream", json={"sql": "SELECT * FROM t;"})
    assert "must round to an absolute value less than 10^2" in too_large.json()["message"]
    schema = described["sourceDescription"]["fields"]  # type: ignore[index]
    decimal = {"type": "DECIMAL", "parameters": {"precision": 4, "scale": 2}, "fields": None, "memberSchema": None}
    assert [field["schema"] for field in schema if field["name"] in ("P", "D")] == [_STRUCT, decimal]
    acknowledged, refused = map(json.loads, inserted.text.splitlines())
    assert acknowledged["status"] == "ok"
    assert "Can't coerce 'x' into type DECIMAL(4, 2)" in refused["message"]
    _, *rows = map(json.loads, answer.text.splitlines())
    assert rows == [
        [1, {"CITY": "Bonn"}, 1.50, [1, 2], {"a": {"CITY": "Ulm"}}, None, None],
        [2, {"CITY": "Rom"}, 2.25, [3], {"b": {"CITY": "Pisa"}}, "aGk=", "1970-01-02"],
    ]
