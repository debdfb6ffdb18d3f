"""The compose deployment cannot be started where the tests run; what can be known without a container is held here."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local.ports import PortName, Ports
from services.dashboard.settings import Settings as DashboardSettings
from services.generator.settings import Settings as GeneratorSettings
from services.provisioner.render import load
from services.provisioner.settings import Settings as ProvisionerSettings
from services.seeder.settings import Settings as SeederSettings
from shared.settings import ServiceSettings
from tests.unit.compose.files import (
    FOLDER,
    REPOSITORY,
    compose,
    environment,
    example,
    own,
    published,
    services,
    stages,
)

SETTINGS: dict[str, type[ServiceSettings]] = {
    "generator": GeneratorSettings,
    "seeder": SeederSettings,
    "provisioner": ProvisionerSettings,
    "dashboard": DashboardSettings,
}
BROKERS = ("kafka1", "kafka2", "kafka3")
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET")


def secrets() -> dict[str, str]:
    return {name: f"value-of-{name}" for name in example()}


def settings(name: str, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """A service's settings, read from the environment that compose gives it."""
    for key, value in environment(name, **secrets()).items():
        monkeypatch.setenv(key, value)
    return SETTINGS[name]()


def test_it_has_the_whole_architecture() -> None:
    assert set(services()) == {
        *BROKERS,
        "connect",
        "mysql",
        "ksqldb",
        "zookeeper",
        "pinot-controller",
        "pinot-broker",
        "pinot-server",
        *SETTINGS,
    }
    assert sorted(own()) == sorted(SETTINGS)


@pytest.mark.parametrize(
    ("name", "inside", "port"),
    [
        ("dashboard", 8501, "dashboard"),
        ("generator", 8001, "generator"),
        ("seeder", 8002, "seeder"),
        ("provisioner", 8003, "provisioner"),
        ("ksqldb", 8088, "ksql"),
        ("connect", 8083, "connect"),
        ("pinot-controller", 9000, "pinot_controller"),
        ("pinot-broker", 8099, "pinot_broker"),
        ("mysql", 3306, "mariadb"),
    ],
)
def test_ports_are_published_on_loopback_under_the_local_stacks_numbers(name: str, inside: int, port: PortName) -> None:
    assert published(name) == {inside: Ports()[port]}


@pytest.mark.parametrize("node", [1, 2, 3])
def test_a_broker_is_reached_under_one_name_inside_and_another_outside(node: int) -> None:
    name, outside = f"kafka{node}", Ports().kafka(node)
    broker = environment(name)
    assert broker["KAFKA_NODE_ID"] == str(node)
    assert f"{node}@{name}:9093" in broker["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")
    assert published(name) == {outside: outside}
    assert broker["KAFKA_LISTENERS"] == f"INTERNAL://:9092,PUBLISHED://:{outside},CONTROLLER://:9093"
    assert broker["KAFKA_ADVERTISED_LISTENERS"] == f"INTERNAL://{name}:9092,PUBLISHED://127.0.0.1:{outside}"


def test_what_is_not_named_is_not_published() -> None:
    assert published("zookeeper") == published("pinot-server") == {}


@pytest.mark.parametrize("name", services())
def test_every_service_has_a_health_check_a_memory_limit_and_a_restart_policy(name: str) -> None:
    service = services()[name]
    build = service.get("build", {})
    if name in own():
        text = stages(REPOSITORY / build["dockerfile"])[build["target"]]
        assert "HEALTHCHECK" in text
    else:
        assert service["healthcheck"]["test"]
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", services())
def test_images_are_of_a_stated_version(name: str) -> None:
    service = services()[name]
    if "build" not in service:
        assert re.search(r":\d+\.\d+", service["image"]), service["image"]


@pytest.mark.parametrize(
    "dockerfile", [FOLDER / "Dockerfile", FOLDER / "connect" / "Dockerfile"], ids=["own", "connect"]
)
def test_base_images_are_of_a_stated_version(dockerfile: Path) -> None:
    made = stages(dockerfile)
    for base in re.findall(r"^FROM (\S+)", dockerfile.read_text(), flags=re.MULTILINE):
        assert base in made or re.search(r":\d+\.\d+", base), base


def test_services_wait_for_healthy_ones_and_never_for_one_another() -> None:
    graph = {}
    for name, service in services().items():
        needed = service.get("depends_on", {})
        assert set(needed) <= set(services()), name
        assert all(condition == {"condition": "service_healthy"} for condition in needed.values()), name
        graph[name] = set(needed)
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("mysql") < order.index("seeder") < order.index("generator") < order.index("dashboard")
    assert order.index("kafka1") < order.index("ksqldb") < order.index("provisioner")


def test_every_secret_comes_from_the_environment_and_has_no_default() -> None:
    for name, service in services().items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert re.fullmatch(r"\$\{\w+:\?.+\}", value), f"{name}: {key}"


def test_the_example_names_every_variable_and_sets_none() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    assert used == set(example())
    assert not any(example().values())
    assert ".env" in (FOLDER / ".gitignore").read_text().split()


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_is_a_setting_of_the_service(name: str) -> None:
    known: set[str] = set(SETTINGS[name].model_fields)
    assert {key.removeprefix("PAGEPULSE_").lower() for key in environment(name, **secrets())} <= known


@pytest.mark.parametrize("name", SETTINGS)
def test_every_url_leads_to_a_service_and_its_port(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {
        field: urlsplit(value)
        for field, value in settings(name, monkeypatch).model_dump().items()
        if field.endswith("_url")
    }
    for field, url in urls.items():
        assert url.hostname in services(), field
        assert url.port in published(str(url.hostname)), field


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_listens_where_its_port_is_published_and_asks_for_the_token(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settings(name, monkeypatch)
    assert found.host == "0.0.0.0"
    assert found.port in published(name)
    assert found.api_token is not None
    assert found.api_token.get_secret_value() == "value-of-PAGEPULSE_API_TOKEN"
    assert found.kafka_bootstrap == ",".join(f"{broker}:9092" for broker in BROKERS)


def test_seeder_and_connector_use_the_accounts_that_mysql_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    seeder, provisioner = settings("seeder", monkeypatch), settings("provisioner", monkeypatch)
    assert isinstance(seeder, SeederSettings)
    assert isinstance(provisioner, ProvisionerSettings)
    server = environment("mysql", **secrets())
    assert (seeder.mysql_user, seeder.mysql_password.get_secret_value()) == (
        server["SEEDER_USER"],
        server["SEEDER_PASSWORD"],
    )
    assert (provisioner.cdc_user, provisioner.cdc_password.get_secret_value()) == (
        server["READER_USER"],
        server["READER_PASSWORD"],
    )
    assert seeder.mysql_database == provisioner.mysql_database == server["MYSQL_DATABASE"]
    assert (seeder.mysql_host, seeder.mysql_port) == ("mysql", 3306)


def test_what_the_provisioner_sends_fits_these_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings("provisioner", monkeypatch)
    assert isinstance(found, ProvisionerSettings)
    definitions = load(found)
    assert definitions.connector["connector.class"] == "io.confluent.connect.jdbc.JdbcSourceConnector"
    assert definitions.connector["connection.url"].startswith("jdbc:mysql://mysql:3306/pagepulse")
    assert len(definitions.pinot) == 5
    for table in definitions.pinot:
        stream = table.table["ingestionConfig"]["streamIngestionConfig"]["streamConfigMaps"][0]
        assert ".kafka30." in stream["stream.kafka.consumer.factory.class.name"]
        assert stream["stream.kafka.broker.list"] == "kafka1:9092,kafka2:9092,kafka3:9092"


def test_volumes_are_declared_and_mounted_files_exist() -> None:
    named = set()
    for service in services().values():
        for entry in service.get("volumes", ()):
            source = entry.split(":")[0]
            if source.startswith("."):
                assert (FOLDER / source).exists(), source
            else:
                named.add(source)
    assert named == set(compose()["volumes"])


@pytest.mark.parametrize("name", SETTINGS)
def test_own_containers_can_do_little(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "USER 10001" in stages(FOLDER / "Dockerfile")[service["build"]["target"]]


def test_the_image_gets_hashed_packages_and_only_sources() -> None:
    made = stages(FOLDER / "Dockerfile")
    installs = re.findall(r"pip install[^&\n]*", made["packages"])
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE):
        for path in source.split():
            assert (REPOSITORY / path).exists(), path
            assert f"!{path}" in (FOLDER / "Dockerfile.dockerignore").read_text().split(), path


@pytest.mark.parametrize("role", ["controller", "broker", "server"])
def test_pinots_instances_have_the_names_of_their_services(role: str) -> None:
    lines = (FOLDER / "pinot" / f"{role}.conf").read_text().splitlines()
    conf = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    hosts = {"controller": "controller.host", "broker": "pinot.broker.hostname", "server": "pinot.server.netty.host"}
    assert conf[hosts[role]] == f"pinot-{role}"
    assert conf["pinot.zk.server"] == "zookeeper:2181"
    assert f"/conf/{role}.conf" in services()[f"pinot-{role}"]["command"]
