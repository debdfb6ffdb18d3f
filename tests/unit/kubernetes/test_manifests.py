"""No cluster runs where the tests run; what can be known without one is held here."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from tests.unit.compose import files as compose
from tests.unit.kubernetes.files import (
    FOLDER,
    OVERLAYS,
    STRIMZI,
    container,
    of_kind,
    pods,
    rendered,
    selects,
)

NAMES = ("generator", "collector", "seeder", "provisioner", "dashboard")
EVERYWHERE = pytest.mark.parametrize("overlay", OVERLAYS)
EACH_SERVICE = pytest.mark.parametrize("name", NAMES)


@EVERYWHERE
def test_what_kubernetes_knows_is_valid_by_its_own_schemas(overlay: str) -> None:
    checked = 0
    for manifest in rendered(overlay):
        if not manifest["apiVersion"].startswith(STRIMZI):
            kubernetes_validate.validate(manifest, "1.34", strict=True)
            checked += 1
    assert checked > 30


@EVERYWHERE
def test_the_whole_architecture_is_there(overlay: str) -> None:
    kinds = {kind: set(of_kind(overlay, kind)) for kind in {m["kind"] for m in rendered(overlay)}}
    assert kinds["Deployment"] == set(NAMES) - {"collector"}
    assert kinds["StatefulSet"] == {"collector", "ksqldb", "mysql"}
    assert kinds["KafkaNodePool"] == {"controller", "broker"}
    assert kinds["HorizontalPodAutoscaler"] == {"generator"}
    assert kinds["PodDisruptionBudget"] == {*NAMES, "ksqldb"}
    assert {"Kafka", "KafkaConnect", "KafkaConnector", "KafkaTopic", "NetworkPolicy"} <= set(kinds)


def test_large_is_larger() -> None:
    def size(overlay: str) -> tuple[int, ...]:
        return (
            of_kind(overlay, "KafkaNodePool")["broker"]["spec"]["replicas"],
            of_kind(overlay, "StatefulSet")["ksqldb"]["spec"]["replicas"],
            of_kind(overlay, "HorizontalPodAutoscaler")["generator"]["spec"]["maxReplicas"],
            of_kind(overlay, "KafkaTopic")["page-view"]["spec"]["partitions"],
        )

    assert all(small < large for small, large in zip(size("small"), size("large"), strict=True))
    assert size("small")[1] > 1


@EVERYWHERE
def test_services_and_budgets_select_their_pods(overlay: str) -> None:
    for name, service in of_kind(overlay, "Service").items():
        chosen = [
            w
            for w, pod in pods(overlay).items()
            if selects({"matchLabels": service["spec"]["selector"]}, pod["metadata"]["labels"])
        ]
        assert len(chosen) == 1, name
        ports = {port["name"]: port["containerPort"] for port in container(overlay, chosen[0])["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"], name
    for name, budget in of_kind(overlay, "PodDisruptionBudget").items():
        assert selects(budget["spec"]["selector"], pods(overlay)[name]["metadata"]["labels"])


@EVERYWHERE
@pytest.mark.parametrize("name", [*NAMES, "ksqldb", "mysql"])
def test_every_pod_has_probes_and_limits_and_few_rights(overlay: str, name: str) -> None:
    found = container(overlay, name)
    assert {"startupProbe", "readinessProbe"} <= set(found)
    assert found["resources"]["requests"].keys() >= {"cpu", "memory"}
    assert found["resources"]["limits"]["memory"]
    assert found["securityContext"]["allowPrivilegeEscalation"] is False
    assert pods(overlay)[name]["spec"]["automountServiceAccountToken"] is False
    if name in NAMES:
        assert found["securityContext"]["readOnlyRootFilesystem"] is True
        assert found["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pods(overlay)[name]["spec"]["securityContext"]["runAsUser"] == 10001


@EACH_SERVICE
def test_images_and_ports_are_those_of_compose(name: str) -> None:
    assert container("small", name)["image"] == compose.services()[name]["image"]
    assert container("small", name)["ports"][0]["containerPort"] in compose.listens_on(name)


def test_secrets_are_named_in_the_example_and_nowhere_given() -> None:
    used = {
        reference["key"]
        for overlay in OVERLAYS
        for manifest in rendered(overlay)
        for reference in references(manifest)
        if reference["name"] == "pagepulse"
    }
    assert used == {name for name, value in compose.example().items() if value == "change-me"} - {
        "PAGEPULSE_GRAFANA_PASSWORD"
    }
    assert not of_kind("small", "Secret")


def references(value: object) -> list[dict[str, str]]:
    """Every secretKeyRef below a value."""
    if isinstance(value, dict):
        found = [value["secretKeyRef"]] if "secretKeyRef" in value else []
        return found + [r for inner in value.values() for r in references(inner)]
    return [r for inner in value for r in references(inner)] if isinstance(value, list) else []


def test_mysqls_accounts_are_made_by_one_script_here_and_in_compose() -> None:
    script = of_kind("small", "ConfigMap")
    (name,) = (name for name in script if name.startswith("mysql-accounts"))
    target = "/docker-entrypoint-initdb.d/10-accounts.sh"
    (mounted,) = (volume for volume in compose.services()["mysql"]["volumes"] if volume["target"] == target)
    assert script[name]["data"]["10-accounts.sh"] == Path(mounted["source"]).read_text()


def test_pinots_values_are_of_one_cluster_with_two_of_everything() -> None:
    values = yaml.safe_load((FOLDER / "pinot" / "values.yaml").read_text())
    large = yaml.safe_load((FOLDER / "pinot" / "values-large.yaml").read_text())
    assert values["image"]["tag"] == compose.services()["pinot-server"]["image"].split(":")[1]
    assert all(values[role]["replicaCount"] == 2 for role in ("controller", "broker", "server"))
    assert values["minion"] == {**values["minion"], "enabled": True, "replicaCount": 1}
    assert all(values[role]["external"]["enabled"] is False for role in ("controller", "broker"))
    assert set(large) <= set(values)
    assert large["server"]["replicaCount"] > values["server"]["replicaCount"]
