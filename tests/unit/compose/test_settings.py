"""What compose gives a service is what the service reads, and where it points somebody answers."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import pytest

from services.provisioner.render import Definitions, load
from services.provisioner.settings import Settings as ProvisionerSettings
from services.seeder.settings import Settings as SeederSettings
from shared.settings import ServiceSettings
from tests.unit.compose.files import chosen, environment, hosts, listens_on, own, services
from tests.unit.settings import SETTINGS

#: what the image itself reads: its command and its health check
_OF_THE_IMAGE = {"PAGEPULSE_SERVICE", "PAGEPULSE_HEALTH_PATH"}


@pytest.fixture(autouse=True)
def _no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PAGEPULSE_")]:
        monkeypatch.delenv(name)


def read(kind: type[ServiceSettings], given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """The settings of a process with this environment."""
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    return kind()


def test_every_own_service_is_looked_at() -> None:
    assert set(own()) == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_is_a_setting_of_the_service(name: str) -> None:
    given = {key for key in environment(name) if key.startswith("PAGEPULSE_")} - _OF_THE_IMAGE
    # All of them get the address of Kafka, as every service has the field; what else is given must be read.
    assert {key.removeprefix("PAGEPULSE_").lower() for key in given} <= set(SETTINGS[name].model_fields)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_address_is_given_and_leads_to_a_listener(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(SETTINGS[name], environment(name), monkeypatch)
    reached: dict[str, set[int]] = {}
    for network in services()[name]["networks"]:
        for host, ports in hosts(network).items():
            reached.setdefault(host, set()).update(ports)
    for field in SETTINGS[name].model_fields:
        if field.endswith(("_url", "_host", "_password")) or field == "kafka_bootstrap":
            assert field in found.model_fields_set, f"{name} is left with the default of {field}"
        if field.endswith("_url"):
            url = urlsplit(getattr(found, field))
            assert url.port in reached[str(url.hostname)], field
    if "mysql_host" in SETTINGS[name].model_fields:
        database = found.model_dump()
        assert database["mysql_port"] in reached[database["mysql_host"]]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_listens_to_others_and_asks_for_the_token(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(SETTINGS[name], environment(name), monkeypatch)
    assert found.host == "0.0.0.0"
    assert {found.port} == listens_on(name)
    assert found.api_token is not None
    assert found.api_token.get_secret_value() == chosen()["PAGEPULSE_API_TOKEN"]


def test_seeder_and_connector_use_the_accounts_that_mysql_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    seeder = read(SeederSettings, environment("seeder"), monkeypatch)
    provisioner = read(ProvisionerSettings, environment("provisioner"), monkeypatch)
    assert isinstance(seeder, SeederSettings)
    assert isinstance(provisioner, ProvisionerSettings)
    server = environment("mysql")
    assert (seeder.mysql_user, seeder.mysql_password.get_secret_value()) == (
        server["SEEDER_USER"],
        server["SEEDER_PASSWORD"],
    )
    assert (provisioner.cdc_user, provisioner.cdc_password.get_secret_value()) == (
        server["READER_USER"],
        server["READER_PASSWORD"],
    )
    assert seeder.mysql_database == provisioner.mysql_database == server["MYSQL_DATABASE"]


def rendered(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Definitions:
    """The resources as a provisioner with this environment sends them."""
    found = read(ProvisionerSettings, given, monkeypatch)
    assert isinstance(found, ProvisionerSettings)
    return load(found)


def test_both_deployments_send_the_same_statements_and_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as here:
        local = rendered({}, here)
    there = rendered(environment("provisioner"), monkeypatch)
    assert local.statements == there.statements
    assert local.topics == there.topics


def test_tables_differ_in_the_way_to_kafka_and_in_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as here:
        local = rendered({}, here)
    there = rendered(environment("provisioner"), monkeypatch)
    for ours, theirs in zip(local.pinot, there.pinot, strict=True):
        assert ours.schema == theirs.schema
        stream, other = (
            table.table["ingestionConfig"]["streamIngestionConfig"]["streamConfigMaps"][0] for table in (ours, theirs)
        )
        differing = {key for key in stream | other if stream.get(key) != other.get(key)}
        assert differing == {"stream.kafka.consumer.factory.class.name", "stream.kafka.broker.list"}
        assert ".kafka30." in other["stream.kafka.consumer.factory.class.name"]
        stream.clear()
        other.clear()
        assert ours.table == theirs.table


def test_both_connectors_fill_one_topic_in_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as here:
        local = rendered({}, here).connector
    there = rendered(environment("provisioner"), monkeypatch).connector
    assert there["connector.class"] == "io.confluent.connect.jdbc.JdbcSourceConnector"
    assert there["connection.url"].startswith("jdbc:mysql://mysql:3306/pagepulse")
    shared_keys = [key for key in local if key.startswith(("key.", "value.", "topic.creation."))]
    assert [local[key] for key in shared_keys] == [there[key] for key in shared_keys]
    assert local["transforms.route.replacement"] == there["transforms.route.replacement"]
