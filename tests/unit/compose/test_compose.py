"""What can be known of the compose deployment without a container; tests/compose starts it."""

from __future__ import annotations

import re
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local.ports import PortName, Ports
from tests.patience import STEP_S
from tests.unit.compose.dockerfile import stages
from tests.unit.compose.files import (
    FOLDER,
    REPOSITORY,
    TOOLS,
    chosen,
    compose,
    environment,
    example,
    hosts,
    listens_on,
    own,
    pinot,
    published,
    run_compose,
    services,
    written,
)

BROKERS = {"kafka1", "kafka2", "kafka3"}
ENGINES = {*BROKERS, "connect", "mysql", "zookeeper", "pinot-controller", "pinot-broker", "pinot-server"}
OWN = {"generator", "collector", "seeder", "provisioner", "dashboard"}
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET")
DOCKERFILES = [FOLDER / name for name in ("Dockerfile", "connect/Dockerfile", "images/Dockerfile")]


@pytest.mark.parametrize(
    ("profiles", "beyond"),
    [
        ("default", {"ksqldb"}),
        ("embedded", {"ksql"}),
        ("default,observability", {"ksqldb", "prometheus", "grafana"}),
        ("embedded,observability", {"ksql", "prometheus", "grafana"}),
    ],
)
def test_each_profile_has_the_whole_architecture(profiles: str, beyond: set[str]) -> None:
    assert set(compose(profiles)["services"]) == ENGINES | OWN | beyond
    assert set(own()) == OWN | {"ksql"}


@pytest.mark.parametrize("name", chosen())
def test_a_secret_that_is_missing_stops_everything(name: str) -> None:
    given = {key: value for key, value in chosen().items() if key != name}
    done = run_compose(given, "--profile", "default", "config", "--quiet")
    assert (done.returncode == 0) == (example()[name] != "change-me")
    if SECRET.search(name):
        assert f"required variable {name} is missing a value: set it in .env" in done.stderr


@pytest.mark.parametrize("name", own())
def test_own_ports_are_published_on_loopback_under_the_local_stacks_numbers(name: PortName) -> None:
    assert published(name) == {Ports()[name]: Ports()[name]}
    assert listens_on(name) == {Ports()[name]}


def test_nothing_but_the_apis_and_the_boards_is_published() -> None:
    open_to_the_host = {name for name in services() if published(name)}
    assert open_to_the_host == {*own(), "prometheus", "grafana"}


def test_published_ports_move_to_another_address_only_if_asked() -> None:
    elsewhere = run_compose({**chosen(), "PAGEPULSE_BIND": "10.0.0.7"}, "--profile", "*", "config", "--format", "json")
    assert elsewhere.stdout.count('"host_ip": "10.0.0.7"') == len(own()) + 2
    unsaid = run_compose({k: v for k, v in chosen().items() if k != "PAGEPULSE_BIND"}, "--profile", "*", "config")
    assert unsaid.stdout.count("host_ip: 127.0.0.1") == len(own()) + 2


def test_the_engines_network_leads_nowhere() -> None:
    assert compose()["networks"]["data"]["internal"] is True
    for name, service in services().items():
        inside = set(service["networks"])
        assert inside == {"data"} if name in {*ENGINES, "ksqldb"} else inside >= {"control"}, name


@pytest.mark.parametrize("node", [1, 2, 3])
def test_a_broker_knows_itself_and_the_others(node: int) -> None:
    broker = environment(f"kafka{node}")
    assert broker["KAFKA_NODE_ID"] == str(node)
    assert f"{node}@kafka{node}:9093" in broker["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")
    assert broker["KAFKA_ADVERTISED_LISTENERS"] == f"INTERNAL://kafka{node}:9092"


@pytest.mark.parametrize("name", services())
def test_every_service_has_a_health_check_limits_and_a_restart_policy(name: str) -> None:
    service = services()[name]
    if name in own():
        keywords = [i.keyword for i in stages(REPOSITORY / service["build"]["dockerfile"])["service"]]
        assert "HEALTHCHECK" in keywords
    else:
        assert service["healthcheck"]["test"]
        assert service["healthcheck"]["start_period"]
    assert set(service["deploy"]["resources"]["limits"]) >= {"cpus", "memory"}
    assert service["restart"] == "unless-stopped"
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", [name for name in services() if name not in own()])
def test_a_health_check_asks_a_port_that_is_there(name: str) -> None:
    text = " ".join(services()[name]["healthcheck"]["test"])
    asked = {int(port) for port in re.findall(r"(?:localhost:|127\.0\.0\.1[:/]|http-ok )(\d+)", text)}
    # mysql's client and kafka-ok ask the port that they know
    assert asked <= listens_on(name)
    assert asked or name == "mysql" or "/usr/local/bin/kafka-ok" in text


def test_nothing_asks_for_an_engine_newer_than_20() -> None:
    """Docker Compose refuses a start_interval on an engine before 25, and so does that engine's builder."""
    texts = [path.read_text() for path in (*FOLDER.rglob("*.yaml"), *DOCKERFILES)]
    assert not any(
        re.search(r"^\s*start_interval:|HEALTHCHECK.*--start-interval", text, re.MULTILINE) for text in texts
    )


@pytest.mark.parametrize("name", services())
def test_images_are_of_a_stated_version(name: str) -> None:
    assert re.search(r":v?\d+\.\d+", services()[name]["image"])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=["own", "connect", "images"])
def test_base_images_are_of_a_stated_version(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    for base in re.findall(r"^(?:FROM|ARG PYTHON=)\s*([a-z]\S+)", text, flags=re.MULTILINE):
        assert base in stages(dockerfile) or re.search(r":\d+(\.\d+)?$|:\d+\.\d+", base), base


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=["own", "connect", "images"])
def test_hadolint_finds_nothing_in_the_dockerfiles(dockerfile: Path) -> None:
    done = subprocess.run([TOOLS / "hadolint", dockerfile], capture_output=True, text=True, timeout=STEP_S, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_lint_finds_nothing_grave() -> None:
    files = [FOLDER / "compose.yaml", *FOLDER.glob("*/compose.yaml"), *FOLDER.glob("[k-u]*.yaml")]
    done = subprocess.run(
        [TOOLS / "compose-lint", "--fail-on", "high", *files],
        capture_output=True,
        text=True,
        timeout=STEP_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("profiles", ["default", "embedded", "default,observability"])
def test_services_wait_for_healthy_ones_and_never_for_one_another(profiles: str) -> None:
    graph = {}
    for name, service in compose(profiles)["services"].items():
        needed = service.get("depends_on", {})
        assert all(dependency["condition"] == "service_healthy" for dependency in needed.values()), name
        graph[name] = set(needed)
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("mysql") < order.index("seeder") < order.index("generator") < order.index("dashboard")
    server = "ksql" if profiles == "embedded" else "ksqldb"
    assert order.index("kafka1") < order.index(server) < order.index("provisioner")


def test_every_secret_comes_from_the_environment_and_has_no_default() -> None:
    for name, service in written().items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert re.fullmatch(r"\$\{\w+:\?.+\}", value), f"{name}: {key}"


def test_the_example_names_every_variable_and_holds_no_password() -> None:
    text = "".join(path.read_text() for path in FOLDER.rglob("*.yaml"))
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    assert used | {"COMPOSE_PROFILES", "COMPOSE_FILE"} == set(example())
    assert all(value == "change-me" for name, value in example().items() if SECRET.search(name))
    assert ".env" in (FOLDER / ".gitignore").read_text().split()


def test_volumes_are_declared_and_mounted_files_exist() -> None:
    named = set()
    for name, service in services().items():
        for volume in service.get("volumes", ()):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists(), f"{name}: {volume['source']}"
                assert volume["read_only"] is True, f"{name}: {volume['source']}"
            else:
                named.add(volume["source"])
    assert named == set(compose()["volumes"])


@pytest.mark.parametrize("name", [*own(), "prometheus", "grafana"])
def test_what_needs_no_rights_has_none(name: str) -> None:
    assert services()[name]["read_only"] is True
    assert services()[name]["cap_drop"] == ["ALL"]
    if name in own():
        assert "USER 10001:10001" in (FOLDER / "Dockerfile").read_text()


def test_the_image_gets_hashed_packages_and_only_sources() -> None:
    installs = [
        step
        for instruction in stages(FOLDER / "Dockerfile")["packages"]
        for step in instruction.rest.split("&&")
        if "pip install" in step
    ]
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)
    sent = (FOLDER / "Dockerfile.dockerignore").read_text().split()
    for instruction in (i for steps in stages(FOLDER / "Dockerfile").values() for i in steps if i.keyword == "COPY"):
        for path in instruction.rest.split()[:-1]:
            if not path.startswith(("--from", "/")):
                assert f"!{path.split('/')[0]}" in sent or f"!{path}" in sent, path


def test_every_image_is_published_with_its_own_health_check() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "release.yml").read_text())
    images = workflow["jobs"]["images"]
    assert sorted(images["strategy"]["matrix"]["service"]) == sorted(own())
    (build,) = (step["with"] for step in images["steps"] if step.get("id") == "build")
    assert build["platforms"].split(",") == ["linux/amd64", "linux/arm64"]
    assert (build["sbom"], build["provenance"]) == (True, "mode=max")
    assert images["needs"] == "compose"
    special = {name for name in own() if "HEALTH_PATH" in services()[name]["build"]["args"]}
    assert special == {"dashboard"}
    assert services()["dashboard"]["build"]["args"]["HEALTH_PATH"] in build["build-args"]


@pytest.mark.parametrize("role", ["controller", "broker", "server"])
def test_a_pinot_that_was_killed_does_not_wait_half_a_minute_for_its_old_session(role: str) -> None:
    (timeout,) = re.findall(r"-Dzk\.session\.timeout=(\d+)", environment(f"pinot-{role}")["JAVA_OPTS"])
    assert int(timeout) <= 10_000


def test_the_real_ksqldb_commits_seldom_enough_and_asks_for_no_licence() -> None:
    """At 200 ms it fell behind: 1,459 retries in 5 minutes, 28 at 2 s (seen on ksqlDB 8.1.1)."""
    given = environment("ksqldb")
    assert 1_000 <= int(given["KSQL_KSQL_STREAMS_COMMIT_INTERVAL_MS"]) <= 2_000
    assert given["KSQL_KSQL_RESOURCE_EXTENSION_CLASS"] == ""


def test_pinots_server_asks_for_its_state_more_often_than_every_10_s() -> None:
    """Its own default; and the wait for the ends of the topics always takes its full time."""
    assert int(pinot("server")["pinot.server.startup.serviceStatusCheckIntervalMs"]) <= 1_000
    assert int(pinot("server")["pinot.server.starter.realtimeConsumptionCatchupWaitMs"]) <= 10_000


@pytest.mark.parametrize("role", ["controller", "broker", "server"])
def test_pinots_instances_have_the_names_of_their_services(role: str) -> None:
    names = {"controller": "controller.host", "broker": "pinot.broker.hostname", "server": "pinot.server.netty.host"}
    assert pinot(role)[names[role]] == f"pinot-{role}"
    host, port = pinot(role)["pinot.zk.server"].split(":")
    assert int(port) in hosts("data")[host]
    assert f"/conf/{role}.conf" in services()[f"pinot-{role}"]["command"]


def test_local_images_replace_every_image_of_others_and_change_nothing_else() -> None:
    """No image of the `embedded` profile comes from a registry, and what is not an image stays as compose.yaml has it."""
    local = compose("embedded,observability", "compose.yaml", "compose.local-images.yaml")["services"]
    usual = compose("embedded,observability")["services"]
    assert set(usual) - set(local) == {"grafana"}
    assert not set(local) - set(usual)
    for name, service in local.items():
        here = {"build", "image", "environment"}
        assert {k: v for k, v in service.items() if k not in here} == {
            k: v for k, v in usual[name].items() if k not in here
        }
        if name in own():
            assert service["build"]["args"] | {"PYTHON": ""} == usual[name]["build"]["args"] | {"PYTHON": ""}
            assert service["build"]["args"]["PYTHON"].startswith("pagepulse-local/")
        else:
            assert service["image"].startswith("pagepulse-local/")
            assert "build" not in service
        differing = (
            {k for k, v in service["environment"].items() if usual[name]["environment"].get(k) != v}
            if name in own()
            else set()
        )
        assert differing <= {"PAGEPULSE_CONNECTOR", "PAGEPULSE_PINOT_CONSUMER_FACTORY"}


def test_every_local_image_is_made() -> None:
    script = (FOLDER / "images" / "build.sh").read_text()
    made = {f"pagepulse-local/{name}" for name in re.findall(r"^(?:base|server) (\S+:\S+) ", script, re.MULTILINE)}
    text = (FOLDER / "compose.local-images.yaml").read_text()
    assert set(re.findall(r"pagepulse-local/[\w.-]+:[\d.]+", text)) <= made
    dockerfile = (FOLDER / "images" / "Dockerfile").read_text()
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) <= made


def test_kafkas_clients_have_the_addresses_of_all_brokers() -> None:
    addresses = {
        value
        for name in services()
        for key, value in environment(name).items()
        if key.endswith(("_BOOTSTRAP", "_BOOTSTRAP_SERVERS"))
    }
    assert addresses == {"kafka1:9092,kafka2:9092,kafka3:9092"}
    assert all(9092 in hosts("data")[broker] for broker in BROKERS)
