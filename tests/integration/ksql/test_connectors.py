"""Connector statements of the stack's own ksql server, on its Kafka Connect: beside the pipeline's connector, over no table."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.patience import STEP_S, eventually
from tests.stack import Stack

pytestmark = pytest.mark.stack

_USERS = "users-source"
_CLASS = "io.debezium.connector.mariadb.MariaDbConnector"


async def test_a_connector_is_created_shown_described_and_dropped(stack: Stack) -> None:
    name = f"ksql_{uuid4().hex[:8]}"
    async with httpx.AsyncClient(timeout=STEP_S) as client:

        async def send(text: str, status: int = 200) -> dict[str, Any]:
            answer = await client.post(f"{stack.url('ksql')}/ksql", json={"ksql": text})
            assert answer.status_code == status, answer.text
            body: Any = answer.json()
            return dict(body[0] if status == 200 else body)

        async def shown(what: str) -> dict[str, dict[str, Any]]:
            return {each["name"]: each for each in (await send(f"SHOW {what};"))["connectors"]}

        config = (await client.get(f"{stack.url('connect')}/connectors/{_USERS}/config")).raise_for_status().json()
        config |= {
            "database.server.id": "5499",
            "topic.prefix": name,
            "table.include.list": "none.none",
            "snapshot.mode": "no_data",
            "schema.history.internal.kafka.topic": f"{name}_history",
        }
        del config["name"]
        properties = ", ".join(f"'{key}' = '{value}'" for key, value in config.items())
        try:
            made = await send(f"CREATE SOURCE CONNECTOR `{name}` WITH ({properties});")
            assert (made["@type"], made["info"]["name"], made["info"]["type"]) == ("connector_info", name, "source")
            assert made["info"]["config"]["topic.prefix"] == name

            assert (await send(f"DESCRIBE CONNECTOR `{name}`;"))["connectorClass"] == _CLASS

            async def runs() -> bool:
                return bool((await shown("CONNECTORS"))[name]["state"] == "RUNNING (1/1 tasks RUNNING)")

            await eventually(runs, f"{name} runs")
            assert {_USERS, name} <= set(await shown("SOURCE CONNECTORS"))
            assert name not in await shown("SINK CONNECTORS")
            described = await send(f"DESCRIBE CONNECTOR `{name}`;")
            assert (described["connectorClass"], described["status"]["name"]) == (_CLASS, name)
            assert [task["state"] for task in described["status"]["tasks"]] == ["RUNNING"]

            again = await send(f"CREATE SOURCE CONNECTOR `{name}` WITH ({properties});", 500)
            assert f"Connector {name} already exists" in again["message"]
            # whatever the configuration is
            again = await send(f"CREATE SOURCE CONNECTOR IF NOT EXISTS `{name}` WITH ('connector.class' = '{_CLASS}');")
            assert again["@type"] == "warning_entity"
        finally:
            assert (await send(f"DROP CONNECTOR IF EXISTS `{name}`;"))["@type"] == "drop_connector"
        assert name not in await shown("CONNECTORS")
        assert "does not exist" in (await send(f"DESCRIBE CONNECTOR `{name}`;", 500))["message"]
        assert "does not exist" in (await send(f"DROP CONNECTOR `{name}`;", 500))["message"]
        refused = await send("CREATE SINK CONNECTOR x WITH ('connector.class' = 'no.such.Class');", 500)
        assert "no.such.Class" in refused["message"]
        plugins = (await send("SHOW CONNECTOR PLUGINS;"))["connectorsPlugins"]
        assert {"className": _CLASS, "type": "SOURCE"}.items() <= next(
            p for p in plugins if p["className"] == _CLASS
        ).items()
