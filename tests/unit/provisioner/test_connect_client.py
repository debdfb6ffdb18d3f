"""Each of Kafka Connect's REST behaviours that a client must cope with."""

from __future__ import annotations

import httpx
import pytest

from services.provisioner.errors import NotReadyInTime
from shared.errors import BadRequest
from tests.unit.provisioner.world import World

CONFIG = {"connector.class": "X", "tasks.max": "1"}


async def test_a_rebalance_is_waited_out(world: World) -> None:
    world.connect.script = [httpx.Response(409, json={"error_code": 409, "message": "rebalance in progress"})] * 3
    await world.servers.connect.put_config("c", CONFIG)
    assert [request for request in world.connect.requests if request[0] == "PUT"] == [
        ("PUT", "/connectors/c/config")
    ] * 4


async def test_put_is_done_only_when_connector_and_tasks_run(world: World) -> None:
    world.connect.not_yet = 3
    await world.servers.connect.put_config("c", CONFIG)
    assert world.connect.requests.count(("GET", "/connectors/c/status")) == 4


async def test_a_connector_whose_task_failed_does_not_run(impatient_world: World) -> None:
    impatient_world.connect.tasks, impatient_world.connect.trace = (
        ["RUNNING", "FAILED"],
        "java.net.ConnectException: refused\n\tat x",
    )
    with pytest.raises(NotReadyInTime, match=r"FAILED: java.net.ConnectException: refused$"):
        await impatient_world.servers.connect.put_config("c", CONFIG)


async def test_a_failed_task_is_restarted_with_its_connector(world: World) -> None:
    await world.servers.connect.put_config("c", CONFIG)
    world.connect.tasks = ["FAILED"]
    await world.servers.connect.restart_failed("c")
    assert ("POST", "/connectors/c/restart") in world.connect.requests


async def test_a_paused_connector_is_resumed(world: World) -> None:
    await world.servers.connect.put_config("c", CONFIG)
    world.connect.state, world.connect.tasks = "PAUSED", ["PAUSED"]
    await world.servers.connect.restart_failed("c")
    assert ("PUT", "/connectors/c/resume") in world.connect.requests


async def test_a_bad_configuration_is_not_tried_again(world: World) -> None:
    world.connect.script = [httpx.Response(400, json={"error_code": 400, "message": "Missing connector.class"})]
    with pytest.raises(BadRequest, match=r"Missing connector\.class"):
        await world.servers.connect.put_config("c", {})


async def test_deleting_what_is_not_there_is_fine(world: World) -> None:
    await world.servers.connect.delete("c", forget_offsets=True)
    assert ("PUT", "/connectors/c/stop") not in world.connect.requests
