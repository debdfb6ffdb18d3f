from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.local import cli_pipeline, client, follow
from deploy.local.board import Board, Health, Line, Phase
from deploy.local.cli import EXIT_NOT_RUNNING, app
from deploy.local.options import Layout, Options
from deploy.local.state import State

run = CliRunner().invoke


def test_version() -> None:
    assert run(app, ["--version"]).stdout == f"pagepulse {version('pagepulse')}\n"


def test_every_command_is_described_by_a_whole_sentence() -> None:
    shown = run(app, ["--help"]).stdout
    assert "..." not in shown.partition("Commands:")[2]
    assert shown.index("  up ") < shown.index("  status ") < shown.index("  verify ")


def test_requests_in_a_services_words_become_commands() -> None:
    said = "The generator is running: change its rate with PUT /generator/rate, or POST /generator/stop first."
    assert client.as_commands(said) == (
        "The generator is running: change its rate with `pagepulse load rate`, or `pagepulse load stop` first."
    )


def test_every_request_with_a_command_is_one_that_the_client_sends() -> None:
    source = Path(client.__file__).read_text()
    for request in client.COMMANDS:
        method, path = request.split()
        assert f'"{method}", "{path}"' in source
    commands = {c.removeprefix("pagepulse ") for c in client.COMMANDS.values()}
    for command in commands:
        assert run(app, [*command.split(), "--help"]).exit_code == 0


def test_logs_are_readable_and_cannot_steer_the_terminal(tmp_path: Path) -> None:
    entry = {
        "event": "run over \x1b[2J",
        "kind": "apply",
        "error": "no brokers",
        "service": "provisioner",
        "request_id": "07ee",
        "logger": "services.provisioner.runs",
        "level": "info",
        "timestamp": "2026-11-28T12:50:53.228846Z",
        "exception": "Traceback ...\nValueError: x",
    }
    line = json.dumps(entry)
    shown = follow.readable(line)
    first, *rest = shown.splitlines()
    assert first.endswith('INFO    run over \\x1b[2J kind=apply error="no brokers"')
    assert ":50:53.228 " in first
    assert rest == ["Traceback ...", "ValueError: x"]
    assert follow.readable("12:00 INFO a line of Kafka") == "12:00 INFO a line of Kafka"
    assert follow.readable("[1, 2]") == "[1, 2]"
    state = State(tmp_path)
    state.make()
    state.log("provisioner").write_text(line + "\n")
    assert run(app, ["logs", "provisioner", "--dir", str(tmp_path)]).stdout == shown + "\n"
    assert run(app, ["logs", "provisioner", "--raw", "--dir", str(tmp_path)]).stdout == line + "\n"


def test_status_of_nothing(tmp_path: Path) -> None:
    done = run(app, ["status", "--json", "--dir", str(tmp_path)])
    assert done.exit_code == EXIT_NOT_RUNNING
    assert json.loads(done.stdout)["running"] is False
    assert list(tmp_path.iterdir()) == [], "asking changes nothing"


def test_down_of_nothing(tmp_path: Path) -> None:
    done = run(app, ["down", "--dir", str(tmp_path / "none")])
    assert done.exit_code == 0
    assert "nothing was running" in done.stdout


def test_logs_of_an_unknown_component_name_the_known(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.make()
    state.log("kafka1").write_text("one\ntwo\nthree\n")
    assert run(app, ["logs", "kafka1", "-n", "2", "--dir", str(tmp_path)]).stdout == "two\nthree\n"
    unknown = run(app, ["logs", "kafka9", "--dir", str(tmp_path)])
    assert unknown.exit_code == 1
    assert "there are: kafka1" in unknown.stdout


def test_an_offset_beyond_the_last_port_is_refused(tmp_path: Path) -> None:
    done = run(app, ["up", "--port-offset", "60000", "--dir", str(tmp_path)])
    assert done.exit_code == 2


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """The options of each start; nothing is started."""
    asked: list[Options] = []

    async def start(options: Options, *_: object) -> Board:
        asked.append(options)
        return Board(phase=Phase.READY)

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr("deploy.local.background.up", start)
    monkeypatch.setattr("deploy.local.setup.ensure", nothing)
    return asked


@pytest.mark.parametrize(
    ("arguments", "load"),
    [([], None), (["--rate", "50"], 50), (["--rate", "50", "--no-demo"], None)],
    ids=["none asked for", "asked for", "no pipeline"],
)
def test_in_the_background_there_is_load_only_if_it_is_asked_for(
    tmp_path: Path, asked: list[Options], arguments: list[str], load: int | None
) -> None:
    assert run(app, ["up", "--detach", *arguments, "--dir", str(tmp_path)]).exit_code == 0
    assert [options.rate if options.generate else None for options in asked] == [load]


def test_up_takes_ports_and_brokers_from_the_data_and_refuses_others(tmp_path: Path, asked: list[Options]) -> None:
    state = State(tmp_path)
    state.make()
    state.keep_layout(Layout(brokers=1, port_offset=100))
    refused = run(app, ["up", "--detach", "--port-offset", "200", "--dir", str(tmp_path)])
    assert refused.exit_code == 1
    assert "made with --port-offset 100" in " ".join(refused.stdout.split())
    assert run(app, ["up", "--detach", "--dir", str(tmp_path)]).exit_code == 0
    assert [options.layout for options in asked] == [Layout(1, 100)]


@pytest.mark.parametrize(("state_of_kafka", "expected"), [(Health.HEALTHY, 0), (Health.RESTARTING, 1)])
def test_a_second_up_says_that_one_runs(tmp_path: Path, state_of_kafka: Health, expected: int) -> None:
    state = State(tmp_path)
    state.acquire()
    board = Board(Options(dir=tmp_path).publish(), {"kafka1": Line(name="kafka1", title="Kafka", state=state_of_kafka)})
    board.enter(Phase.READY)
    state.write_run(board.publish())
    done = run(app, ["up", "--detach", "--dir", str(tmp_path)])
    state.release()
    assert "A stack already runs in" in done.stdout
    assert done.exit_code == expected


def test_reset_forgets_the_data(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.make()
    (state.data / "kafka1").mkdir()
    assert run(app, ["reset", "--dir", str(tmp_path)]).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_pipeline_command_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    done = run(app, ["plan", "--dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "pagepulse up --detach" in done.stdout


@pytest.mark.parametrize(
    ("command", "answer", "code"),
    [
        ("plan", {"changes": 2, "unseen": 0, "steps": []}, 0),
        ("plan", {"changes": 0, "unseen": 3, "steps": []}, 4),
        ("verify", {"ok": True, "verdict": "equal", "tables": []}, 0),
        ("verify", {"ok": False, "verdict": "different", "tables": []}, 1),
        ("verify", {"ok": None, "verdict": "not_caught_up", "tables": []}, 5),
    ],
)
def test_what_cannot_be_said_has_an_exit_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, command: str, answer: dict[str, object], code: int
) -> None:
    monkeypatch.setattr(cli_pipeline, "call", lambda *_: answer)
    done = run(app, [command, "--json"])
    assert (done.exit_code, json.loads(done.stdout)) == (code, answer)
    assert command == "verify" or "Exit code 4" in run(app, ["plan", "--help"]).stdout
