from __future__ import annotations

import json

from rich.console import Console

from deploy.local import console as pictures
from deploy.local.board import Board, Health, Line, Phase
from deploy.local.display import Follower
from deploy.local.errors import PortTaken
from deploy.local.ports import Ports


def board() -> Board:
    return Board({}, {"a": Line(name="a", title="Kafka broker 1", state=Health.HEALTHY, pid=4, seconds=1.25)})


def text_of(picture: object) -> str:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(picture)
    return console.export_text()


def test_a_board_survives_being_published() -> None:
    first = board()
    first.enter(Phase.READY)
    again = Board.read(json.loads(json.dumps(first.publish())))
    assert again.publish() == first.publish()
    assert again.lines["a"].state is Health.HEALTHY
    assert again.all_healthy()


def test_a_ready_run_with_a_component_down_says_which() -> None:
    run = board()
    run.enter(Phase.READY)
    assert "ready after" in text_of(pictures.board(run))
    run.lines["a"].state = Health.RESTARTING
    assert "not healthy: Kafka broker 1" in text_of(pictures.board(run))


def test_without_a_terminal_each_change_is_one_line() -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    follower, run = Follower(console), board()
    follower.show(run)
    follower.show(run)
    assert console.export_text(clear=True).count("healthy after 1.25 s") == 1
    run.lines["a"].state, run.lines["a"].note = Health.RESTARTING, "ended unexpectedly"
    follower.show(run)
    assert "Kafka broker 1: restarting (ended unexpectedly)" in console.export_text()


def test_a_failure_shows_reason_log_tail_and_hint() -> None:
    shown = text_of(pictures.failure(PortTaken("port 8001 is taken", hint="use --port-offset")))
    assert "port 8001 is taken" in shown
    assert "use --port-offset" in shown
    shown = text_of(
        pictures.published_failure(
            {"reason": "a: exit code 3", "log": "/x/a.log", "tail": ["last words"], "hint": None}
        )
    )
    assert "last words" in shown
    assert "/x/a.log" in shown


def test_the_urls_are_those_of_the_components_that_run() -> None:
    shown = text_of(pictures.urls(Ports(1000), 3, {"generator", "pinot"}))
    assert "http://127.0.0.1:9001/docs" in shown
    assert "http://127.0.0.1:10000/" in shown
    assert "9501" not in shown
