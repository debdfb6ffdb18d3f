"""Connector statements against an HTTP server that keeps connectors as Kafka Connect does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from services.ksql.settings import Settings
from tests.unit.ksql.rest.replay import Lab, lab
from tests.unit.serving import served


def connect() -> FastAPI:
    app = FastAPI()
    app.state.settings = Settings()
    known: dict[str, dict[str, str]] = {}
    plugin = {"class": "x.Sink", "type": "sink", "version": "1"}

    def info(name: str) -> dict[str, Any]:
        return {"name": name, "config": known[name], "tasks": [], "type": "sink"}

    def status(name: str) -> dict[str, Any]:
        tasks = [{"id": 0, "state": "RUNNING"}, {"id": 1, "state": "FAILED", "trace": "boom"}]
        return {"name": name, "connector": {"state": "RUNNING"}, "tasks": tasks, "type": "sink"}

    def missing() -> Response:
        return JSONResponse({"error_code": 404, "message": "not found"}, 404)

    @app.post("/connectors")
    async def create(body: dict[str, Any]) -> Response:
        if "connector.class" not in body["config"]:
            return JSONResponse({"error_code": 400, "message": "it has no connector type"}, 400)
        if body["name"] in known:
            return JSONResponse({"error_code": 409, "message": "exists"}, 409)
        known[body["name"]] = body["config"]
        return JSONResponse(info(body["name"]), 201)

    @app.get("/connectors")
    async def every() -> Any:
        return {name: {"info": info(name), "status": status(name)} for name in known}

    @app.get("/connectors/{name}/{part}")
    async def one(name: str, part: str) -> Any:
        if name not in known or (part == "status" and known[name].get("tasks.max") == "0"):
            return missing()
        return {"config": known[name], "status": status(name), "topics": {name: {"topics": ["t"]}}}[part]

    @app.delete("/connectors/{name}")
    async def drop(name: str) -> Response:
        return missing() if known.pop(name, None) is None else Response(status_code=204)

    @app.get("/connector-plugins")
    async def plugins() -> Any:
        return [plugin]

    return app


@pytest.fixture
async def server() -> AsyncIterator[Lab]:
    with served(connect()) as url:
        async with lab(connect_url=url) as made:
            yield made


async def send(server: Lab, text: str) -> Any:
    answer = await server.client.post("/ksql", json={"ksql": text})
    return answer.json() if answer.status_code != 200 else answer.json()[0]


CREATE = "CREATE SINK CONNECTOR {}c WITH ('connector.class'='x.Sink', 'tasks.max'=2);"


async def test_a_connector_from_creation_to_drop(server: Lab) -> None:
    made = await send(server, CREATE.format(""))
    assert (made["@type"], made["info"]["name"]) == ("connector_info", "C")
    assert made["info"]["config"] == {"connector.class": "x.Sink", "tasks.max": "2", "name": "C"}
    listed = (await send(server, "SHOW CONNECTORS;"))["connectors"]
    assert listed == [{"name": "C", "type": "sink", "className": "x.Sink", "state": "WARNING (1/2 tasks RUNNING)"}]
    assert (await send(server, "SHOW SINK CONNECTORS;"))["connectors"] == listed
    assert (await send(server, "SHOW SOURCE CONNECTORS;"))["connectors"] == []
    described = await send(server, "DESCRIBE CONNECTOR c;")
    assert (described["connectorClass"], described["topics"]) == ("x.Sink", ["t"])
    assert described["status"]["tasks"][1]["trace"] == "boom"
    assert (await send(server, "DROP CONNECTOR c;"))["connectorName"] == "C"
    assert (await send(server, "SHOW CONNECTORS;"))["connectors"] == []


async def test_what_exists_and_what_does_not(server: Lab) -> None:
    await send(server, CREATE.format(""))
    assert "Connector C already exists" in (await send(server, CREATE.format("")))["message"]
    assert (await send(server, CREATE.format("IF NOT EXISTS ")))["@type"] == "warning_entity"
    # Connect would refuse the configuration before it saw the name
    assert (await send(server, "CREATE SINK CONNECTOR IF NOT EXISTS c WITH ('a'='b');"))["@type"] == "warning_entity"
    await send(server, "DROP CONNECTOR c;")
    assert "does not exist" in (await send(server, "DROP CONNECTOR c;"))["message"]
    assert (await send(server, "DROP CONNECTOR IF EXISTS c;"))["@type"] == "warning_entity"
    assert "Connector C does not exist" in (await send(server, "DESCRIBE CONNECTOR c;"))["message"]


async def test_a_connector_that_no_worker_has_yet() -> None:
    with served(connect()) as url:
        async with lab(connect_url=url) as server:
            await send(server, "CREATE SINK CONNECTOR c WITH ('connector.class'='x.Sink', 'tasks.max'=0);")
            described = await send(server, "DESCRIBE CONNECTOR c;")
    assert (described["connectorClass"], described["status"]["connector"]["state"]) == ("x.Sink", "UNASSIGNED")


async def test_the_reason_of_connect_is_passed_on(server: Lab) -> None:
    refused = await send(server, "CREATE SOURCE CONNECTOR c WITH ('a'='b');")
    assert refused["error_code"] == 50000
    assert "it has no connector type" in refused["message"]
    assert (await send(server, "SHOW CONNECTOR PLUGINS;"))["connectorsPlugins"][0]["type"] == "SINK"


async def test_without_connect_the_answer_names_the_setting() -> None:
    async with lab() as server:
        for text in (CREATE.format(""), "DROP CONNECTOR c;", "DESCRIBE CONNECTOR c;", "SHOW CONNECTORS;"):
            assert "PAGEPULSE_CONNECT_URL" in (await send(server, text))["message"]
