"""A user's session with the deployment in containers, from the first start to the last trace. Its tests follow one another."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from benchmarks.containers import measure, section
from benchmarks.document import write_section
from shared.topics import PAGE_VIEW, USER_SESSION
from tests.browser.driving import ARGUMENTS, CHROMIUM, PATIENCE_MS, person, visit
from tests.browser.test_pictures import save
from tests.compose.deployment import (
    ACCOUNTS,
    ADDRESS,
    ANSWER_WITHIN_S,
    OWN,
    PORTS,
    PROJECT,
    REPOSITORY,
    Deployment,
    eventually,
)
from tests.drill import bound

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3600)]

RATE = 200
ENGINES = {
    "kafka1",
    "kafka2",
    "kafka3",
    "mysql",
    "connect",
    "zookeeper",
    "pinot-controller",
    "pinot-broker",
    "pinot-server",
}
#: what is published, beside the services' own ports
PROMETHEUS = 9090
#: the ports that answer inside the network of the engines
INSIDE = {
    "kafka1": 9092,
    "mysql": 3306,
    "connect": 8083,
    "zookeeper": 2181,
    "pinot-controller": 9000,
    "pinot-broker": 8099,
}


@pytest.fixture(autouse=True)
def timed(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[None]:
    with deployment.step(request.node.name.removeprefix("test_").replace("_", " ")):
        yield


def no_log_has_a_traceback(deployment: Deployment) -> None:
    logs = deployment.compose("logs", "--no-color", *OWN).splitlines()
    assert len(logs) > 20
    assert [line for line in logs if re.search(r"Traceback \(most recent|never retrieved", line)] == []


def ready(deployment: Deployment) -> bool:
    return bool(deployment.status("provisioner")["ready"])


def test_one_command_starts_seeds_provisions_and_generates(deployment: Deployment) -> None:
    with deployment.step("from up to ready"):
        deployment.up()
        eventually(lambda: ready(deployment), "the pipeline is ready")
    assert set(deployment.running()) == ENGINES | set(OWN) | {"prometheus"}
    assert deployment.status("seeder")["users"] == 1000
    generator = deployment.status("generator")
    assert (generator["state"], generator["target_rate"]) == ("running", RATE)
    deployment.generate(more=RATE * 20)


def test_the_dashboard_shows_it_and_its_buttons_work(deployment: Deployment) -> None:
    def state() -> str:
        return str(deployment.status("generator")["state"])

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with visit(person(browser), deployment.url("dashboard")) as visitor:
            visitor.open()
            eventually(
                lambda: all(any(trace["y"] or trace["z"] for trace in chart) for chart in visitor.charts(3)),
                "data in every chart",
            )
            expect(visitor.main.get_by_test_id("stException")).to_have_count(0)
            visitor.sidebar.get_by_role("button", name="Stop", exact=False).click()
            eventually(lambda: state() == "stopped", "the generator has stopped")
            visitor.sidebar.get_by_role("button", name="Start").click()
            eventually(lambda: state() == "running", "the generator runs")
            expect(visitor.sidebar.get_by_text(re.compile(r"Started at"))).to_be_visible(timeout=PATIENCE_MS)
        browser.close()
    assert visitor.complaints == []


@pytest.mark.parametrize("name", OWN)
def test_a_service_has_no_rights(deployment: Deployment, name: str) -> None:
    """Asked from inside, not read from the configuration."""
    status = dict(
        line.split(":\t", 1)
        for line in deployment.inside(name, "cat", "/proc/self/status").splitlines()
        if ":\t" in line
    )
    assert set(status["Uid"].split() + status["Gid"].split()) == {"10001"}
    assert {int(status[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"].strip() == "1"
    for path in ("/app/new", "/venv/new", "/new", "/var/new"):
        said = deployment.inside(name, "sh", "-c", f"touch {path} 2>&1 || true")
        assert "Read-only file system" in said, path
    deployment.inside(name, "sh", "-c", "touch /tmp/new && rm /tmp/new")


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_an_engine_is_not_run_by_root_and_cannot_gain_rights(deployment: Deployment, name: str) -> None:
    said = deployment.inside(name, "cat", "/proc/self/status")
    assert re.search(r"^Uid:\t(?!0\t)", said, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", said, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", said, re.MULTILINE)


def test_only_the_documented_ports_are_reachable(deployment: Deployment) -> None:
    published = {
        (binding["HostIp"], int(binding["HostPort"]))
        for name in deployment.running()
        for bindings in deployment.inspect(name)["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert published == {(ADDRESS, port) for port in (*PORTS.values(), PROMETHEUS)}
    for port in INSIDE.values():
        with pytest.raises(OSError, match="refused"), socket.create_connection((ADDRESS, port), timeout=10):
            pass


def test_the_network_of_the_engines_has_no_way_out(deployment: Deployment) -> None:
    """Not even to a container of the other network, which a service that is in both networks reaches."""
    networks = deployment.inspect("prometheus")["NetworkSettings"]["Networks"]
    address = networks[f"{PROJECT}_control"]["IPAddress"]
    open_it = f"import socket; socket.create_connection(('{address}', {PROMETHEUS}), 120)"
    deployment.inside("seeder", "python", "-c", open_it)
    for name in ("kafka1", "mysql", "connect", "zookeeper", "pinot-server"):
        assert list(deployment.inspect(name)["NetworkSettings"]["Networks"]) == [f"{PROJECT}_data"]
        attempt = f"timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{PROMETHEUS}' || echo refused"
        assert deployment.inside(name, "bash", "-c", attempt).strip() == "refused", name


@pytest.mark.parametrize("token", [None, "wrong"])
@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("generator", "/generator/status"),
        ("seeder", "/seeder/status"),
        ("provisioner", "/provisioner/status"),
        ("collector", "/collect/status"),
        ("ksql", "/info"),
    ],
)
def test_a_wrong_or_missing_token_is_refused(
    deployment: Deployment, service: str, path: str, token: str | None
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx.get(f"{deployment.url(service)}{path}", headers=headers, timeout=ANSWER_WITHIN_S)
    assert answer.status_code == 401
    if service != "ksql":  # whose errors have ksqlDB's form
        assert answer.headers["content-type"] == "application/problem+json"


def test_default_passwords_are_refused(deployment: Deployment) -> None:
    def log_in(user: str, password: str) -> str:
        query = f"MYSQL_PWD='{password}' mysql --host=mysql --user={user} --execute='SELECT 1' 2>&1 || true"
        return deployment.inside("mysql", "sh", "-c", query)

    for user in ("root", "pagepulse", "cdc"):
        for password in ("", "change-me", user, "root", "mysql", "password"):
            assert "Access denied" in log_in(user, password), (user, password)
    assert "Access denied" not in log_in("pagepulse", deployment.secrets["PAGEPULSE_MYSQL_PASSWORD"])


def test_an_example_password_stops_the_set_up(deployment: Deployment) -> None:
    """A start with .env.example unchanged."""
    said = deployment.run(
        *(
            "sh",
            "-c",
            'docker run --rm --env MYSQL_ROOT_PASSWORD=change-me --env MYSQL_DATABASE=pagepulse "$@" 2>&1 || true',
            "-",
        ),
        *(
            "--env",
            "SEEDER_USER=a",
            "--env",
            "SEEDER_PASSWORD=b",
            "--env",
            "READER_USER=c",
            "--env",
            "READER_PASSWORD=d",
        ),
        *("--volume", f"{ACCOUNTS}:/docker-entrypoint-initdb.d/10-accounts.sh:ro", "pagepulse-local/mariadb:10.11"),
    )
    assert "still holds a change-me" in said
    assert "ready for connections" not in said.split("change-me")[-1]


def test_prometheus_scrapes_everything_and_raises_an_alert(deployment: Deployment) -> None:
    def prometheus(path: str, **parameters: str) -> dict[str, object]:
        answer = httpx.get(f"http://{ADDRESS}:{PROMETHEUS}/api/v1/{path}", params=parameters, timeout=ANSWER_WITHIN_S)
        answer.raise_for_status()
        return dict(answer.json()["data"])

    def targets() -> dict[str, str]:
        active = prometheus("targets")["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in active}  # type: ignore[attr-defined]

    def firing() -> set[tuple[str, str]]:
        alerts = prometheus("alerts")["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("job", ""))
            for alert in alerts  # type: ignore[attr-defined]
            if alert["state"] == "firing"
        }

    eventually(lambda: targets() == dict.fromkeys(OWN, "up"), "every service is scraped")
    groups = prometheus("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]  # type: ignore[attr-defined]
    assert len(rules) > 10
    eventually(
        lambda: all(r["health"] == "ok" for g in prometheus("rules")["groups"] for r in g["rules"]),  # type: ignore[attr-defined]
        "every rule is evaluated",
    )
    deployment.docker("stop", deployment.name("seeder"))
    try:
        eventually(lambda: ("ServiceDown", "seeder") in firing(), "the alert ServiceDown fires")
    finally:
        deployment.docker("start", deployment.name("seeder"))
    eventually(lambda: ("ServiceDown", "seeder") not in firing(), "the alert is over")
    eventually(lambda: deployment.healthy("seeder"), "the seeder is healthy")


def test_an_event_of_a_visitor_is_in_its_topic_once_although_the_collector_is_killed(deployment: Deployment) -> None:
    """The journal is on a volume: what was acknowledged before the kill is published after it, and the retry is a duplicate."""
    event = {"id": f"compose-{uuid4().hex}", "session": f"visit-{uuid4().hex}", "url": "https://shop.example/lamps"}

    def send() -> dict[str, Any]:
        answer = httpx.post(f"{deployment.url('collector')}/collect", json=event, timeout=ANSWER_WITHIN_S)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    first = send()
    assert (first["accepted"], first["duplicates"]) == (1, 0)
    deployment.docker("kill", deployment.name("collector"))
    deployment.docker("start", deployment.name("collector"))
    eventually(lambda: deployment.healthy("collector"), "the collector is healthy again")
    again = send()
    assert (again["accepted"], again["duplicates"]) == (1, 1)
    for topic in (PAGE_VIEW, USER_SESSION):
        eventually(lambda topic=topic: deployment.records_with(topic, event["session"]) != [], f"it is in {topic}")  # type: ignore[misc]
        assert len(deployment.records_with(topic, event["session"])) == 1, topic


def test_the_charts_go_on(deployment: Deployment) -> None:
    """Some minutes after the start: the chart per minute has grown."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with visit(person(browser), deployment.url("dashboard")) as visitor:
            visitor.open()
            eventually(
                lambda: any(len(trace["y"]) > 2 for chart in visitor.charts(3) for trace in chart), "it has grown"
            )
            if os.environ.get("PAGEPULSE_SCREENSHOTS") == "1":
                visitor.page.wait_for_timeout(2_000)  # the map and the fonts, which nothing announces
                save(visitor.page.screenshot(), REPOSITORY / "docs" / "images" / "containers.png")
        browser.close()
    assert visitor.complaints == []


def test_memory_stays_below_the_limits(deployment: Deployment) -> None:
    deployment.generate(more=RATE * 20)
    figures = measure(deployment, dict(deployment.steps)["from up to ready"])
    for name, (used, allowed) in figures["memory"].items():
        state = deployment.inspect(name)
        assert allowed == state["HostConfig"]["Memory"], name
        assert used < 0.9 * allowed, name
        assert not state["State"]["OOMKilled"], name
        assert state["RestartCount"] == 0, name
    print(section(figures))
    if os.environ.get("PAGEPULSE_WRITE_DOCS") == "1":
        write_section("containers", section(figures))


def test_stopped_every_number_can_be_recomputed(deployment: Deployment) -> None:
    account = deployment.stop_generating()
    assert account["failed"] == {}
    assert account["sent"] == account["acknowledged"] > 0
    deployment.prove()


class Drills:
    """Faults under load. Each waits until the part is healthy again."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def killed(self, name: str) -> None:
        """``docker kill``, the others go on, ``docker start``."""
        self.deployment.docker("kill", self.deployment.name(name))
        self.deployment.generate(more=RATE * 5)
        self.deployment.docker("start", self.deployment.name(name))
        eventually(lambda: self.deployment.healthy(name), f"{name} is healthy again")

    def crashed(self, name: str) -> None:
        """The process in the container is killed, and the engine restarts it by itself."""
        before = self.deployment.inspect(name)["RestartCount"]
        # the first process is the container's init, which cannot be killed from inside; the server is its child
        self.deployment.inside(name, "sh", "-c", "kill -9 $(cat /proc/1/task/1/children)", check=False)
        eventually(lambda: self.deployment.inspect(name)["RestartCount"] > before, f"{name} is restarted")
        eventually(lambda: self.deployment.healthy(name), f"{name} is healthy again")

    def paused(self, name: str) -> None:
        self.deployment.docker("pause", self.deployment.name(name))
        try:
            self.deployment.generate(more=RATE * 10)
        finally:
            self.deployment.docker("unpause", self.deployment.name(name))
        eventually(lambda: self.deployment.healthy(name), f"{name} is healthy again")

    def cut_off(self, name: str, alias: str) -> None:
        """The container loses the network of the engines for 20 s."""
        container, network = self.deployment.name(name), f"{PROJECT}_data"
        self.deployment.docker("network", "disconnect", network, container)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            self.deployment.generate(more=RATE)
        self.deployment.docker("network", "connect", "--alias", name, "--alias", alias, network, container)
        eventually(lambda: self.deployment.healthy(name), f"{name} is healthy again")

    def out_of_memory(self, name: str) -> None:
        """The kernel ends the container's process at a limit that is too low; with the old limit it comes back."""
        container = self.deployment.name(name)
        state = self.deployment.inspect(name)
        limit, before = state["HostConfig"]["Memory"], state["RestartCount"]
        self.deployment.docker("update", "--memory", "128m", "--memory-swap", "128m", container, check=False)
        try:
            # the limit cannot go below what is used already, so the process begins anew under it
            self.deployment.docker("kill", container, check=False)
            self.deployment.docker("update", "--memory", "128m", "--memory-swap", "128m", container)
            self.deployment.docker("start", container)
            eventually(lambda: self.deployment.inspect(name)["RestartCount"] > before, f"{name} is ended and restarted")
        finally:
            self.deployment.docker("update", "--memory", str(limit), "--memory-swap", str(limit), container)
        self.deployment.docker("start", container, check=False)  # it may be about to be restarted
        eventually(lambda: self.deployment.healthy(name), f"{name} is healthy again")


FAULTS: tuple[tuple[str, Callable[[Drills], None]], ...] = (
    ("docker kill of a broker", lambda drills: drills.killed("kafka2")),
    ("docker kill of ksql", lambda drills: drills.killed("ksql")),
    ("kill -9 of ksql inside its container", lambda drills: drills.crashed("ksql")),
    ("docker kill of Pinot's server", lambda drills: drills.killed("pinot-server")),
    ("docker pause of a broker", lambda drills: drills.paused("kafka3")),
    ("docker network disconnect of ksql", lambda drills: drills.cut_off("ksql", "ksql-server")),
    ("Connect at its memory limit", lambda drills: drills.out_of_memory("connect")),
)


def test_faults_under_load_lose_nothing(deployment: Deployment) -> None:
    """In the short form all faults follow one another and one proof follows them; in ``make drill`` each has its own, five times.

    Users are added meanwhile, so that what Connect has missed would show in the proof. They do not browse: when they come into force no
    topic says, and the recomputation takes users as they are in the end.
    """
    drills = Drills(deployment)
    deployment.stop_generating()
    browsing = deployment.status("seeder")["users"]
    for turn in range(bound(1, 5)):
        for what, fault in FAULTS:
            if deployment.status("generator")["state"] != "running":
                deployment.call("POST", "generator", "start", {"rate": RATE, "users": browsing})
            deployment.call("POST", "seeder", "seed?wait=true", {"count": 10, "seed": turn, "mode": "append"})
            with deployment.step(f"  {what}"):
                fault(drills)
            deployment.generate(more=RATE * 5)
            if bound(0, 1):
                account = deployment.stop_generating()
                assert account["failed"] == {}, what
                deployment.prove()
    if not bound(0, 1):
        account = deployment.stop_generating()
        assert account["failed"] == {}
        deployment.prove()
    eventually(lambda: ready(deployment), "the pipeline is ready")


def test_no_log_has_a_traceback(deployment: Deployment) -> None:
    no_log_has_a_traceback(deployment)


def test_restarted_as_a_whole_it_has_kept_everything(deployment: Deployment) -> None:
    users = deployment.status("seeder")["users"]
    deployment.compose("--profile", "*", "down")
    assert deployment.running() == []
    deployment.up()
    eventually(lambda: ready(deployment), "the pipeline is ready")
    assert deployment.status("seeder")["users"] == users
    deployment.generate(more=RATE * 5)
    deployment.stop_generating()
    deployment.prove()
    no_log_has_a_traceback(deployment)


def test_in_the_end_nothing_is_left(deployment: Deployment) -> None:
    deployment.run("make", "compose-down", "ARGS=--volumes")
    label = f"label=com.docker.compose.project={PROJECT}"
    for kind in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        assert deployment.docker(*kind, "--quiet", "--filter", label).split() == [], kind
    assert (
        json.loads(deployment.compose("ls", "--all", "--format", "json", "--filter", f"name={PROJECT}") or "[]") == []
    )
