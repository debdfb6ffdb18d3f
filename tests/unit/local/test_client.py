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


async def test_a_problem_has_the_words_of_the_service() -> None:
    problem = {"type": "conflict", "title": "Not possible", "status": 409, "detail": "no users: seed first"}
    async with services(lambda request: httpx.Response(409, json=problem)) as client:
        with pytest.raises(ServiceRefused, match=r"generator: no users: seed first \(HTTP 409\)"):
            await client.generate(200)


async def test_a_service_that_is_unavailable_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with services(refuse) as client:
        with pytest.raises(ServiceRefused, match=r"seeder at http://127\.0\.0\.1:9002 cannot be reached: refused"):
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


async def test_an_apply_is_followed_to_its_end() -> None:
    def step(state: str) -> dict[str, str]:
        return {"resource": "topic:topic1_PageView", "state": state}

    answers = iter(
        [
            {"kind": "apply", "state": "running", "steps": []},
            {"kind": "apply", "state": "running", "steps": [step("running")]},
            {"kind": "apply", "state": "failed", "steps": [step("failed")], "error": "no brokers"},
        ]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, json=next(answers), headers={"location": "/provisioner/runs/1"})

    heard: list[str] = []
    async with services(answer) as client:
        with pytest.raises(ServiceRefused, match="the apply failed: no brokers"):
            await client.apply(heard.append)
    assert heard == ["0 of 1 topic:topic1_PageView", "0 of 1 "]


@pytest.mark.parametrize(
    ("users", "generate", "expected"),
    [
        (0, True, ["seed", "apply", "start"]),
        (1000, True, ["apply", "start"]),
        (0, False, ["seed", "apply"]),
    ],
)
async def test_the_demo_seeds_provisions_and_generates(users: int, generate: bool, expected: list[str]) -> None:
    calls: list[str] = []
    bodies: dict[str, object] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[1]
        if request.method == "POST":
            calls.append(name)
            bodies[name] = json.loads(request.content or b"null")
        run = {"kind": "apply", "state": "succeeded", "steps": []}
        headers = {"location": "/provisioner/runs/1"}
        return httpx.Response(200, json={"users": users, "ready": True, **run}, headers=headers)

    board = Board()
    phases: list[Phase] = []
    board.listeners.append(lambda: phases.append(board.phase))
    async with services(answer) as client:
        await demo.prepare(client, Options(dir=Path("x"), rate=300, users=50, generate=generate), board)
    assert calls == expected
    assert list(dict.fromkeys(phases)) == [Phase.SEEDING, Phase.PROVISIONING]
    if "seed" in calls:
        assert bodies["seed"] == {"count": 50, "seed": 42, "null_fraction": 0.05}
    if "start" in calls:
        assert bodies["start"] == {"rate": 300}


QUICK = demo.Retry(attempts=3, pause=timedelta(milliseconds=1))


async def test_a_busy_service_is_waited_for_with_words() -> None:
    """Slow is not broken: no answer, or 503, is repeated as long as it takes."""
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked < 5:
            raise httpx.ReadTimeout("busy")
        if asked < 10:
            return httpx.Response(503, json={"detail": "Kafka is not there yet"})
        run = {"kind": "apply", "state": "succeeded", "steps": []}
        return httpx.Response(200, json={"users": 5, "ready": True, **run}, headers={"location": "/provisioner/runs/1"})

    board = Board()
    details: list[str] = []
    board.listeners.append(lambda: details.append(board.detail))
    async with services(answer) as client:
        await demo.prepare(client, Options(dir=Path("x")), board, QUICK)
    assert any("did not answer" in detail and "the next attempt is in 0.001 s" in detail for detail in details)
    assert any("Kafka is not there yet" in detail for detail in details)


async def test_what_is_refused_is_tried_a_few_times_only() -> None:
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(401, json={"detail": "a token is needed"})

    async with services(answer) as client:
        with pytest.raises(ServiceRefused, match="a token is needed"):
            await demo.prepare(client, Options(dir=Path("x")), Board(), QUICK)
    assert asked == QUICK.attempts


async def test_a_verify_is_followed_to_its_report() -> None:
    def audit(state: str, **found: object) -> dict[str, object]:
        return {"state": state, "phase": "reading", "records_read": 1000, "problem": None, "report": None, **found}

    report = {"ok": True, "verdict": "equal", "tables": []}
    answers = iter([audit("running"), audit("running"), audit("succeeded", report=report)])

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {"Location": "/provisioner/verify/1"} if request.method == "POST" else {}
        assert request.url.path == ("/provisioner/verify" if request.method == "POST" else "/provisioner/verify/1")
        return httpx.Response(202 if request.method == "POST" else 200, json=next(answers), headers=headers)

    steps: list[str] = []
    async with services(answer) as client:
        assert await client.verify(steps.append) == report
    assert "reading, 1,000 records read" in steps
    answers = iter([audit("running"), audit("failed", problem={"detail": "Kafka is unavailable"})])
    async with services(answer) as client:
        with pytest.raises(ServiceRefused, match="the verify failed: Kafka is unavailable"):
            await client.verify()
