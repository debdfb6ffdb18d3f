"""The whole stack's descriptions and the configurations they render."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from deploy.local import order, probes
from deploy.local.component import Component
from deploy.local.components import all_components, kafka, mariadb
from deploy.local.components.context import Context
from deploy.local.options import Options
from deploy.local.render import TEMPLATES, render
from deploy.local.state import State


def context(folder: Path, **options: object) -> Context:
    state = State(folder / "state")
    state.make()
    return Context(options=Options(dir=state.root, **options), state=state, java=Path(sys.executable))  # type: ignore[arg-type]


def by_name(where: Context) -> dict[str, Component]:
    return {c.name: c for c in all_components(where)}


async def rendered(where: Context, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every configuration, without formatting any data folder and without asking any server."""

    async def answer(port: int, command: str) -> str:
        return "Sessions with Ephemerals (0):"

    monkeypatch.setattr(probes, "ask_zookeeper", answer)
    for node in range(1, where.options.brokers + 1):
        (where.state.data / f"kafka{node}").mkdir(exist_ok=True)
        (where.state.data / f"kafka{node}" / "meta.properties").touch()
    (where.state.data / "mariadb" / "mysql").mkdir(parents=True)
    for component in all_components(where):
        await component.prepare()
    return {path.name: path.read_text() for path in where.state.conf.iterdir()}


def test_the_stack_is_whole_and_in_order(tmp_path: Path) -> None:
    components = all_components(context(tmp_path))
    order.check(components)
    assert {c.name for c in components} == {
        *("kafka1", "kafka2", "kafka3", "connect", "mariadb", "zookeeper", "pinot"),
        *("ksql", "generator", "collector", "seeder", "provisioner", "dashboard"),
    }
    ports = [port for c in components for port in c.ports]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("offset", [0, 1000, 10_000])
def test_no_two_ports_meet(tmp_path: Path, offset: int) -> None:
    ports = [p for c in all_components(context(tmp_path, port_offset=offset, brokers=5)) for p in c.ports]
    assert len(ports) == len(set(ports))


async def test_every_template_is_used_and_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = await rendered(context(tmp_path), monkeypatch)
    assert len(files) >= len(list(TEMPLATES.glob("*.j2")))
    for name, text in files.items():
        assert "{{" not in text, name
        assert "{%" not in text, name
        assert "0.0.0.0" not in text, name


async def test_three_brokers_form_one_quorum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = await rendered(context(tmp_path, port_offset=1000), monkeypatch)
    voters = "controller.quorum.voters=1@127.0.0.1:20193,2@127.0.0.1:20293,3@127.0.0.1:20393"
    for node, port in ((1, 20092), (2, 20292), (3, 20392)):
        text = files[f"kafka{node}.properties"]
        assert voters in text
        assert f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n" in text
        assert "min.insync.replicas=2\n" in text


async def test_one_broker_replicates_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = await rendered(context(tmp_path, brokers=1), monkeypatch)
    assert "default.replication.factor=1\n" in files["kafka1.properties"]
    assert "min.insync.replicas=1\n" in files["kafka1.properties"]
    assert "config.storage.replication.factor=1\n" in files["connect.properties"]


async def test_passwords_stay_out_of_commands_and_readable_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = context(tmp_path)
    await rendered(where, monkeypatch)
    secrets = {where.state.secret("mysql_password"), where.state.secret("cdc_password")}
    for component in all_components(where):
        assert not any(secret in word for word in component.command for secret in secrets), component.name
    for path in where.state.conf.iterdir():
        if any(secret in path.read_text() for secret in secrets):
            assert path.stat().st_mode & 0o077 == 0, path


def test_services_learn_the_addresses_from_the_environment(tmp_path: Path) -> None:
    where = context(tmp_path, port_offset=1000)
    components = by_name(where)
    env = components["provisioner"].env
    assert env["PAGEPULSE_PORT"] == "9003"
    assert env["PAGEPULSE_KAFKA_BOOTSTRAP"] == "127.0.0.1:20092,127.0.0.1:20292,127.0.0.1:20392"
    assert env["PAGEPULSE_PINOT_CONTROLLER_URL"] == "http://127.0.0.1:10000"
    assert env["PAGEPULSE_MYSQL_PORT"] == "14306"
    assert env["PAGEPULSE_CDC_USER"] == mariadb.CDC_USER
    assert "PAGEPULSE_CDC_PASSWORD" not in components["dashboard"].env
    assert "PAGEPULSE_MYSQL_PASSWORD" not in components["generator"].env


def test_the_cluster_id_is_made_once(tmp_path: Path) -> None:
    where = context(tmp_path)
    first = kafka.cluster_id(where)
    assert len(first) == 22
    assert kafka.cluster_id(where) == first


def test_a_cluster_id_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=bytes(16))
    drawn = iter([first, second])
    monkeypatch.setattr(kafka.uuid, "uuid4", lambda: next(drawn))  # type: ignore[attr-defined]
    assert kafka.random_uuid() == "A" * 22


def test_a_missing_value_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError):
        render("zoo.cfg", tmp_path / "zoo.cfg", host="127.0.0.1")
