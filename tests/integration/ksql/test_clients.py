"""The clients that people use, against a real server over Kafka."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import httpx
import ksqldb
import pytest
from ksql import KSQLAPI

from tests.integration.ksql.harness import KsqlServer
from tests.patience import STEP_S, eventually

pytestmark = pytest.mark.stack

_EARLIEST = {"auto.offset.reset": "earliest"}


async def make_counts(server: KsqlServer) -> None:
    await server.ksql(
        f"CREATE STREAM clicks (k VARCHAR KEY, n INT, s VARCHAR) WITH (KAFKA_TOPIC='{server.prefix}clicks', "
        "VALUE_FORMAT='JSON', PARTITIONS=2);"
        f"CREATE TABLE counts WITH (KAFKA_TOPIC='{server.prefix}counts') AS "
        "SELECT k, COUNT(*) AS n, SUM(n) AS total FROM clicks GROUP BY k EMIT CHANGES;"
    )


async def counted(server: KsqlServer, key: str, wanted: list[Any]) -> None:
    async def is_there() -> bool:
        body = {"ksql": f"SELECT * FROM counts WHERE k = '{key}';"}
        rows = (await server.client.post("/query", json=body)).json()
        return [row["row"]["columns"] for row in rows[1:]] == [wanted]

    await eventually(is_there, f"{key} is {wanted}", every_s=0.1)


@pytest.fixture
def patient_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is given no time-out waits as long as the tests do: the package ``ksqldb`` gives its inserts none."""
    for name in ("Client", "AsyncClient"):
        monkeypatch.setattr(httpx, name, partial(getattr(httpx, name), timeout=STEP_S))


@pytest.mark.usefixtures("patient_httpx")
async def test_ksqldb_package(server: KsqlServer) -> None:
    client = ksqldb.KSQLdbClient(server.url)
    await make_counts(server)
    streams = await asyncio.to_thread(client.ksql, "LIST STREAMS;")
    assert [s["name"] for s in streams[0]["streams"]] == ["CLICKS"]
    assert any(p["name"] == "ksql.service.id" for p in await asyncio.to_thread(client.get_properties))

    rows = [{"K": "a", "N": 1, "S": "x"}, {"K": "a", "N": 2}, {"K": "b", "N": 5}]
    acknowledged = await asyncio.to_thread(client.inserts_stream, "CLICKS", rows)
    assert [a["status"] for a in acknowledged] == ["ok", "ok", "ok"]
    await counted(server, "a", ["a", 2, 3])
    await counted(server, "b", ["b", 1, 5])

    pulled = await asyncio.to_thread(client.query_sync, "SELECT * FROM counts WHERE k = 'b';", timeout=STEP_S)
    assert pulled[0]["columnNames"] == ["K", "N", "TOTAL"]
    assert pulled[1:] == [["b", 1, 5]]

    limited = client.query_async("SELECT k, n FROM clicks EMIT CHANGES LIMIT 3;", dict(_EARLIEST), timeout=STEP_S)
    pushed = [row async for row in limited]
    assert sorted(pushed[1:]) == [["a", 1], ["a", 2], ["b", 5]]

    open_query = client.query_async("SELECT k FROM clicks EMIT CHANGES;", timeout=STEP_S)
    header = await anext(open_query)
    assert await asyncio.to_thread(client.close_query, header["queryId"])
    assert [row async for row in open_query] == []
    assert not await asyncio.to_thread(client.close_query, header["queryId"])


@pytest.fixture
def without_cert(monkeypatch: pytest.MonkeyPatch) -> None:
    """ksql-python-ng hands httpx an argument (``cert``, always None here) that newer versions no longer have."""
    for name in ("get", "request", "stream"):
        original = getattr(httpx, name)

        def call(*args: Any, _original: Any = original, cert: None = None, **options: Any) -> Any:
            return _original(*args, **options)

        monkeypatch.setattr(httpx, name, call)


@pytest.mark.usefixtures("without_cert")
async def test_ksql_python_package(server: KsqlServer) -> None:
    client = await asyncio.to_thread(KSQLAPI, server.url, timeout=STEP_S)
    assert await asyncio.to_thread(client.get_ksql_version) == "8.1.1"
    await make_counts(server)
    await asyncio.to_thread(client.ksql, "INSERT INTO clicks (k, n, s) VALUES ('c', 7, 'seven')")
    await counted(server, "c", ["c", 1, 7])

    def pushed(*, http2: bool) -> str:
        query = "SELECT k, n, s FROM clicks EMIT CHANGES LIMIT 1;"
        return "".join(client.query(query, stream_properties=dict(_EARLIEST), use_http2=http2))

    by_lines = await asyncio.to_thread(pushed, http2=True)
    assert json.loads(by_lines.splitlines()[1]) == ["c", 7, "seven"]
    by_v1 = json.loads(await asyncio.to_thread(pushed, http2=False))
    assert by_v1[1] == {"row": {"columns": ["c", 7, "seven"]}}
    assert by_v1[-1] == {"finalMessage": "Limit Reached"}

    with pytest.raises(Exception, match="NOSUCH"):
        await asyncio.to_thread(client.ksql, "DESCRIBE nosuch;")


async def test_push_query_follows_new_rows_and_ends_with_its_client(server: KsqlServer) -> None:
    await make_counts(server)
    body = {"ksql": "SELECT k, n FROM clicks EMIT CHANGES;"}
    async with asyncio.timeout(STEP_S), server.client.stream("POST", "/query", json=body) as response:
        lines = response.aiter_lines()
        assert "header" in await anext(lines)
        await server.ksql("INSERT INTO clicks (k, n) VALUES ('live', 1);")
        assert json.loads((await anext(lines)).strip(",[]")) == {"row": {"columns": ["live", 1]}}

    async def is_closed() -> bool:
        metrics = (await server.client.get("/metrics")).text
        return "ksql_push_queries 0.0" in metrics

    await eventually(is_closed, "the push query ends with its client", every_s=0.1)


async def test_commands_survive_a_restart(server: KsqlServer) -> None:
    await make_counts(server)
    await server.ksql("INSERT INTO clicks (k, n) VALUES ('kept', 4);")
    await counted(server, "kept", ["kept", 1, 4])
    before = (await server.ksql("SHOW QUERIES;"))[0]["queries"]
    await server.kill()
    await server.start()
    assert (await server.ksql("SHOW QUERIES;"))[0]["queries"] == before
    await counted(server, "kept", ["kept", 1, 4])
    query_id = before[0]["id"]
    await server.ksql(f"PAUSE {query_id};")
    await server.ksql("INSERT INTO clicks (k, n) VALUES ('kept', 6);")
    await server.stop()
    await server.start()
    assert (await server.ksql("SHOW QUERIES;"))[0]["queries"][0]["statusCount"] == {"PAUSED": 1}
    await counted(server, "kept", ["kept", 1, 4])
    await server.ksql(f"RESUME {query_id};")
    await counted(server, "kept", ["kept", 2, 10])
    await server.ksql(f"TERMINATE {query_id}; DROP TABLE counts DELETE TOPIC; DROP STREAM clicks DELETE TOPIC;")
    assert (await server.ksql("SHOW STREAMS;"))[0]["streams"] == []
    async with httpx.AsyncClient(base_url=server.url, timeout=STEP_S) as client:
        missing = await client.get("/status/stream/%60CLICKS%60/create")
    assert missing.json()["status"] == "SUCCESS"
