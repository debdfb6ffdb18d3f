"""A pod's settings are those that its service reads; every address exists, and the network policies admit it."""

from __future__ import annotations

import re
from itertools import chain
from urllib.parse import urlsplit

import pytest

from services.provisioner.render import Definitions, load
from services.provisioner.settings import Settings as ProvisionerSettings
from shared.settings import ServiceSettings
from tests.unit.compose import files as compose
from tests.unit.kubernetes.files import OVERLAYS, environment, of_kind, pods, selects
from tests.unit.settings import SETTINGS as ALL_SETTINGS

#: the deployment has the real ksqlDB
SETTINGS = {name: kind for name, kind in ALL_SETTINGS.items() if name != "ksql"}
#: names that come with an operator or a chart, and the labels of the pods behind them
ELSEWHERE = {
    "kafka-kafka-bootstrap": (9092, {"strimzi.io/cluster": "kafka"}),
    "connect-connect-api": (8083, {"strimzi.io/cluster": "connect", "strimzi.io/kind": "KafkaConnect"}),
    "pinot-controller": (9000, {"app": "pinot"}),
    "pinot-broker": (8099, {"app": "pinot"}),
}
EVERYWHERE = pytest.mark.parametrize("overlay", OVERLAYS)
EACH_SERVICE = pytest.mark.parametrize("name", SETTINGS)


def settings(overlay: str, name: str, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """A service's settings in its pod."""
    for key, value in (compose.image_environment() | environment(overlay, name)).items():
        if key.startswith("PAGEPULSE_"):
            monkeypatch.setenv(key, value)
    return SETTINGS[name]()


@EVERYWHERE
@EACH_SERVICE
def test_settings_can_be_read_and_lead_to_a_service(overlay: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(overlay, name, monkeypatch)
    assert found.api_token is not None
    inside = {(n, p["port"]) for n, s in of_kind(overlay, "Service").items() for p in s["spec"]["ports"]}
    known = inside | {(host, port) for host, (port, _) in ELSEWHERE.items()}
    for host, port in addresses(found):
        assert (host, port) in known


def addresses(found: ServiceSettings) -> list[tuple[str, int]]:
    """Host and port of every address in the settings of a service."""
    values = found.model_dump()
    urls = [urlsplit(value) for field, value in values.items() if field.endswith("_url")]
    addresses = [(str(url.hostname), int(url.port or 0)) for url in urls]
    if "mysql_host" in values:
        addresses.append((values["mysql_host"], values["mysql_port"]))
    host, port = found.kafka_bootstrap.split(":")
    return [*addresses, (host, int(port))]


@EVERYWHERE
def test_all_that_is_given_by_name_only_is_a_setting_of_a_service(overlay: str) -> None:
    known = set(chain.from_iterable(kind.model_fields for kind in SETTINGS.values()))
    for name in SETTINGS:
        for key in environment(overlay, name):
            assert key.removeprefix("PAGEPULSE_").lower() in known, f"{name}: {key}"


@EVERYWHERE
@EACH_SERVICE
def test_policies_let_a_service_through_to_what_it_calls(
    overlay: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's and Connect's own policies are Strimzi's; the label that Kafka's asks for is looked at instead."""
    caller = pods(overlay)[name]["metadata"]["labels"]
    called = {
        "generator": {"kafka_bootstrap", "seeder_url"},
        "collector": {"kafka_bootstrap"},
        "seeder": {"mysql_host"},
        "provisioner": {"kafka_bootstrap", "ksql_url", "connect_url", "pinot_broker_url", "pinot_controller_url"},
        "dashboard": {"generator_url", "seeder_url", "collector_url", "provisioner_url", "pinot_broker_url"},
    }[name]
    found = settings(overlay, name, monkeypatch).model_dump()
    for field in called:
        if field == "kafka_bootstrap":
            assert caller["pagepulse/kafka-client"] == "true"
            continue
        host, port = (
            (found["mysql_host"], found["mysql_port"])
            if field == "mysql_host"
            else (urlsplit(found[field]).hostname, urlsplit(found[field]).port)
        )
        target = ELSEWHERE[host][1] if host in ELSEWHERE else pods(overlay)[host]["metadata"]["labels"]
        assert port in allowed(overlay, caller, target), field


def allowed(overlay: str, caller: dict[str, str], target: dict[str, str]) -> set[int]:
    """The ports that the policies open from one pod to another."""
    return {
        port["port"]
        for policy in of_kind(overlay, "NetworkPolicy").values()
        if selects(policy["spec"]["podSelector"], target)
        for rule in policy["spec"].get("ingress", ())
        if any("podSelector" in peer and selects(peer["podSelector"], caller) for peer in rule["from"])
        for port in rule.get("ports", ())
    }


@EVERYWHERE
def test_all_other_traffic_is_denied(overlay: str) -> None:
    for name in (*SETTINGS, "ksqldb", "mysql"):
        assert allowed(overlay, {"app": "stranger"}, pods(overlay)[name]["metadata"]["labels"]) == set()
    closed = of_kind(overlay, "NetworkPolicy")["deny-all"]["spec"]
    assert "ingress" not in closed
    assert all(selects(closed["podSelector"], pod["metadata"]["labels"]) for pod in pods(overlay).values())


def definitions(overlay: str, monkeypatch: pytest.MonkeyPatch) -> Definitions:
    found = settings(overlay, "provisioner", monkeypatch)
    assert isinstance(found, ProvisionerSettings)
    return load(found)


@EVERYWHERE
def test_topics_are_those_that_the_provisioner_would_make(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    meant = {
        (topic.name, topic.partitions, topic.replication_factor, tuple(sorted(topic.config.items())))
        for topic in definitions(overlay, monkeypatch).topics
    }
    made = {
        (s["topicName"], s["partitions"], s["replicas"], tuple(sorted(s["config"].items())))
        for s in (topic["spec"] for topic in of_kind(overlay, "KafkaTopic").values())
    }
    assert made == meant


def test_the_connector_is_the_one_that_the_provisioner_would_make(monkeypatch: pytest.MonkeyPatch) -> None:
    meant = dict(definitions("small", monkeypatch).connector)
    spec = of_kind("small", "KafkaConnector")["users-source"]["spec"]
    assert meant.pop("connector.class") == spec["class"]
    assert int(meant.pop("tasks.max")) == spec["tasksMax"]
    assert spec["config"] == meant
    assert spec["config"]["connection.password"] == "${env:CDC_PASSWORD}"
    worker = of_kind("small", "KafkaConnect")["connect"]["spec"]
    assert worker["config"]["config.providers"] == "env"
    assert worker["template"]["connectContainer"]["env"][0]["name"] == "CDC_PASSWORD"


def test_statements_are_those_of_the_local_stack_but_for_their_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as here:
        here.delenv("PAGEPULSE_PARTITIONS", raising=False)
        local = load(ProvisionerSettings())
    there = definitions("large", monkeypatch)
    assert [(n, re.sub(r"PARTITIONS=\d+", "PARTITIONS=n", text)) for n, text in there.statements] == [
        (n, re.sub(r"PARTITIONS=\d+", "PARTITIONS=n", text)) for n, text in local.statements
    ]
    assert {table.table["segmentsConfig"]["replication"] for table in there.pinot} == {"2"}
