from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from deploy.local import cli_events, client
from deploy.local.cli import app
from deploy.local.client import Services
from deploy.local.ports import Ports

run = CliRunner().invoke
EVENT = {
    "offset": 7,
    "received_at": "2026-11-28T12:00:00Z",
    "field": "url",
    "reason": "url: an http(s) address",
    "origin": "https://shop.example",
    "replays": 1,
    "truncated": False,
    "value": '{"id": "\x1b[2J"}',
    "encoding": "utf-8",
}


class Stack:
    """Answers as the services do; ``users`` is the table, ``joined`` what ksql has."""

    def __init__(self, *, users: set[int], joined: set[int], follows: bool = True) -> None:
        self.users, self.joined, self.follows = users, joined, follows
        self.forgotten: set[int] = set()
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path, dict(request.url.params)
        self.asked.append(f"{request.method} {path}" + (f"?{request.url.query.decode()}" if query else ""))
        match request.method, path.split("/")[1:]:
            case "DELETE", ["seeder", "users", user]:
                self.users.discard(int(user))
                if self.follows:
                    self.joined.discard(int(user))
                return httpx.Response(200, json={"user_id": int(user), "deleted": True})
            case "GET", ["seeder", "users"]:
                found = sorted(user for user in self.users if user > int(query["after"]))
                return httpx.Response(200, json={"users": [{"user_id": user} for user in found[:1]]})
            case "DELETE", ["collect", "users", user]:
                self.forgotten.add(int(user))
                return httpx.Response(202, json={"user_id": int(user), "detail": "Earlier records stay."})
            case "GET", ["collect", "users", user]:
                gone = int(user) in self.forgotten
                return httpx.Response(200, json={"forgotten": gone, "tombstone_published": gone})
            case "POST", ["provisioner", "sql"]:
                if not self.joined and not self.follows:
                    return httpx.Response(503, json={"title": "x", "status": 503, "detail": "no ksql"})
                asked_for = int(json.loads(request.content)["sql"].rstrip(";").rpartition("= ")[2])
                return httpx.Response(200, json={"rows": [[asked_for]] if asked_for in self.joined else []})
        raise AssertionError(self.asked[-1])


def against(answer: Callable[[httpx.Request], httpx.Response], monkeypatch: pytest.MonkeyPatch) -> None:
    def call(_: Path, question: Callable[[Services], Any]) -> Any:
        async def answered() -> Any:
            async with Services(Ports(0), httpx.MockTransport(answer)) as services:
                return await question(services)

        return asyncio.run(answered())

    monkeypatch.setattr(cli_events, "call", call)
    monkeypatch.setattr(client, "FORGET_WITHIN", timedelta(0))


def test_a_user_is_erased_and_each_place_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(users={41, 42, 43}, joined={42, 43})
    against(stack, monkeypatch)
    done = run(app, ["forget", "42"])

    assert done.exit_code == 0
    assert done.stdout.count("gone ") == 3
    assert "Earlier records stay." in done.stdout
    assert (stack.users, stack.joined, stack.forgotten) == ({41, 43}, {43}, {42})


@pytest.mark.parametrize(("joined", "words"), [({42}, "STILL THERE"), (set[int](), "not known")])
def test_what_is_not_proved_is_not_claimed(joined: set[int], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    against(Stack(users={42}, joined=joined, follows=False), monkeypatch)
    done = run(app, ["forget", "42"])

    assert (done.exit_code, done.stdout.count("gone "), done.stdout.count(words)) == (1, 2, 1)


def test_rejected_events_are_shown_and_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json={"events": [EVENT], "next": 8})

    against(answer, monkeypatch)
    shown = run(app, ["rejected", "--reason", "url", "-n", "5"]).stdout
    as_json = run(app, ["rejected", "--json"]).stdout

    assert shown.startswith(
        "7 2026-11-28T12:00:00Z url: an http(s) address from https://shop.example, replayed 1 times: {"
    )
    assert "\x1b" not in shown
    assert json.loads(as_json) == EVENT
    assert asked == [{"limit": "5", "reason": "url"}, {"limit": "20", "reason": ""}]


def test_following_goes_on_from_where_the_last_answer_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("from"))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return httpx.Response(200, json={"events": [EVENT] if len(asked) == 2 else [], "next": 7 + len(asked)})

    against(answer, monkeypatch)
    monkeypatch.setattr(cli_events, "_FOLLOW_SECONDS", 0.0)
    shown = run(app, ["rejected", "--follow"]).stdout

    assert asked == [None, "8", "9"]
    assert shown.splitlines()[0] == "no rejected events"
    assert shown.splitlines()[1].startswith("7 ")


def test_a_replay_covers_what_was_there_when_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str | None, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.params.get("from"), request.url.params.get("until")))
        done = {"sent": 2, "rejected": 1, "skipped": 0, "next": 5 * len(asked), "end": 12}
        return httpx.Response(200, json=done | {"next": min(done["next"], 12)})

    against(answer, monkeypatch)
    shown = run(app, ["replay-rejected", "--json"])

    assert asked == [(None, None), ("5", "12"), ("10", "12")]
    assert json.loads(shown.stdout) == {"sent": 6, "rejected": 3, "skipped": 0}
