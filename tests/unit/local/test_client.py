from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from deploy.local import demo
from deploy.local.board import Board, Phase
from deploy.local.client import Services
from deploy.local.errors import ServiceRefused
from deploy.local.options import Options
from deploy.local.ports import Ports


def services(answer: Callable[[httpx.Request], httpx.Response]) -> Services:
    return Services(Ports(1000), httpx.MockTransport(answer))


async def test_a_problem_is_told_in_the_services_own_words() -> None:
    problem = {"type": "conflict", "title": "Not possible", "status": 409, "detail": "no users: seed first"}
    async with services(lambda request: httpx.Response(409, json=problem)) as client:
        with pytest.raises(ServiceRefused, match=r"generator: no users: seed first \(HTTP 409\)"):
            await client.generate(200)


async def test_a_service_that_is_away_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with services(refuse) as client:
        with pytest.raises(ServiceRefused, match=r"seeder at http://127\.0\.0\.1:9002 does not answer"):
            await client.users()


async def test_resources_that_do_not_get_ready_are_named() -> None:
    status = {
        "ready": False,
        "resources": [
            {"kind": "topic", "name": "topic1_PageView", "state": "ok"},
            {"kind": "pinot_table", "name": "pageview_country", "state": "missing", "detail": "no route yet"},
        ],
    }
    async with services(lambda request: httpx.Response(200, json=status)) as client:
        with pytest.raises(ServiceRefused, match="pageview_country: missing no route yet"):
            await client.until_provisioned(timedelta(milliseconds=50))


@pytest.mark.parametrize(
    ("users", "generate", "expected"),
    [
        (0, True, ["seed", "apply", "start"]),
        (1000, True, ["apply", "start"]),
        (0, False, ["seed", "apply"]),
    ],
)
async def test_the_demo_seeds_provisions_and_generates(
    monkeypatch: pytest.MonkeyPatch, users: int, generate: bool, expected: list[str]
) -> None:
    calls: list[str] = []
    bodies: dict[str, object] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[1]
        if request.method == "POST":
            calls.append(name)
            bodies[name] = json.loads(request.content or b"null")
        return httpx.Response(200, json={"users": users, "ready": True})

    monkeypatch.setattr(demo, "Services", lambda ports: services(answer))
    board = Board()
    phases: list[Phase] = []
    board.listeners.append(lambda: phases.append(board.phase))
    await demo.prepare(Options(dir=Path("x"), rate=300, users=50, generate=generate), board)
    assert calls == expected
    assert list(dict.fromkeys(phases)) == [Phase.SEEDING, Phase.PROVISIONING]
    if "seed" in calls:
        assert bodies["seed"] == {"count": 50, "seed": 42, "null_fraction": 0.05}
    if "start" in calls:
        assert bodies["start"] == {"rate": 300}
