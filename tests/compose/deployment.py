"""The deployment of deploy/compose as a user has it: its commands, its services' REST APIs, and its containers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.patience import Explanation, eventually_blocking

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "deploy" / "compose"
#: the script that makes the accounts of MySQL, as compose mounts it
ACCOUNTS = REPOSITORY / "deploy" / "kubernetes" / "base" / "engines" / "accounts.sh"
PROJECT = "pagepulse-test"
#: still loopback, and free where a demo uses 127.0.0.1
ADDRESS = "127.0.0.2"
PORTS = {"generator": 8001, "seeder": 8002, "provisioner": 8003, "collector": 8004, "ksql": 8088, "dashboard": 8501}
OWN = tuple(PORTS)
BUILD_WITHIN_S = 3000
UP_WITHIN_S = 1500
COMMAND_WITHIN_S = 300
ANSWER_WITHIN_S = 300
#: an audit reads every record there is, and may be asked for again
PROOF_WITHIN_S = 900


def eventually(question: Callable[[], bool], what: Explanation, within_s: float = 300) -> None:
    """Asks until the answer is yes. A connection or a command that fails, or takes too long, is a no.

    Raises:
        AssertionError: it never was.
    """
    last: object = "no"

    def answer() -> bool:
        nonlocal last
        try:
            return question()
        except (httpx.HTTPError, AssertionError, subprocess.TimeoutExpired) as error:
            last = error
            return False

    eventually_blocking(
        answer, lambda: f"{what() if callable(what) else what} (last answer: {last})", within_s, every_s=0.5
    )


@dataclass
class Deployment:
    """One deployment on one engine. ``steps`` collects (what, seconds) for the summary."""

    host: str | None
    folder: Path
    steps: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Notes how long the block took."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.steps.append((what, time.monotonic() - begun))

    @property
    def environment(self) -> dict[str, str]:
        """What the deployment's commands are given."""
        given = {name: value for name, value in os.environ.items() if not name.startswith(("PAGEPULSE_", "COMPOSE_"))}
        urls = {f"{name.upper()}_URL": self.url(name) for name in PORTS}
        return {
            **given,
            **urls,
            **({"DOCKER_HOST": self.host} if self.host else {}),
            "COMPOSE_ENV_FILES": str(self.folder / ".env"),
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_PROFILES": "embedded,observability",
            "PAGEPULSE_BIND": ADDRESS,
            "IMAGES": "local",
        }

    def run(self, *command: str | Path, within_s: float = COMMAND_WITHIN_S, check: bool = True) -> str:
        """The output of a command.

        Raises:
            AssertionError: it failed; the message has the end of what it said.
        """
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
        )
        if check:
            assert done.returncode == 0, (
                f"{command} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}"
            )
        return done.stdout

    def compose(self, *arguments: str, within_s: float = COMMAND_WITHIN_S, check: bool = True) -> str:
        return self.run(FOLDER / "compose.sh", *arguments, within_s=within_s, check=check)

    def docker(self, *arguments: str, check: bool = True) -> str:
        return self.run("docker", *arguments, check=check)

    def name(self, service: str) -> str:
        """The name of a service's container."""
        return f"{PROJECT}-{service}-1"

    def inside(self, service: str, *command: str, check: bool = True) -> str:
        """The output of a command in a service's container."""
        return self.docker("exec", self.name(service), *command, check=check)

    def inspect(self, service: str) -> dict[str, Any]:
        return dict(json.loads(self.docker("inspect", self.name(service)))[0])

    def running(self) -> list[str]:
        """The services that have a container which runs."""
        return sorted(self.compose("ps", "--services", "--status", "running").split())

    def healthy(self, service: str) -> bool:
        state = self.inspect(service)["State"]
        return bool(state["Running"]) and state["Health"]["Status"] == "healthy"

    def url(self, service: str) -> str:
        return f"http://{ADDRESS}:{PORTS[service]}"

    @property
    def secrets(self) -> dict[str, str]:
        """``.env``: name to value."""
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def call(self, method: str, service: str, path: str, body: object = None) -> Any:
        """The JSON answer of a service's API, asked with the token. Raises httpx.HTTPStatusError."""
        answer = httpx.request(
            method,
            f"{self.url(service)}/{service}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.secrets['PAGEPULSE_API_TOKEN']}"},
            timeout=ANSWER_WITHIN_S,
        )
        answer.raise_for_status()
        return answer.json()

    def status(self, service: str) -> dict[str, Any]:
        return dict(self.call("GET", service, "status"))

    def up(self) -> None:
        """``make compose IMAGES=local``, the images built before: starts, waits, seeds, provisions and generates."""
        self.run("make", "compose", "IMAGES=local", within_s=UP_WITHIN_S)

    def generate(self, more: int) -> None:
        """Waits until this many more events are acknowledged."""
        start = self.status("generator")["acknowledged"]
        eventually(lambda: self.status("generator")["acknowledged"] >= start + more, f"{more} more events acknowledged")

    def stop_generating(self) -> dict[str, Any]:
        """Stops the load; gives the generator's last account."""
        return dict(self.call("POST", "generator", "stop"))

    def prove(self) -> None:
        """Every table equals the provisioner's own audit and the tests' recomputation from the raw topics.

        Raises:
            AssertionError: a row differs, and goes on to differ.
        """
        found: dict[str, Any] = {}

        def audited() -> bool:
            nonlocal found
            found = self.call("POST", "provisioner", "verify?wait=true")
            return bool(found["ok"]) and not any(table["unsure"] for table in found["tables"])

        eventually(audited, lambda: f"the audit finds every row equal: {found}", within_s=PROOF_WITHIN_S)
        assert sum(table["equal"] for table in found["tables"]) > 0, found
        differences = self.differences()
        assert differences == [], f"{len(differences)} differences:\n" + "\n".join(differences[:20])

    def differences(self) -> list[str]:
        """What the tests' recomputation finds wrong."""
        return [
            str(line) for line in self.beside("tests.compose.recomputation", "kafka1:9092", "http://pinot-broker:8099")
        ]

    def records_with(self, topic: str, text: str) -> list[dict[str, Any]]:
        """The committed values of a topic, JSON objects, that hold this text."""
        return list(self.beside("tests.compose.records", "kafka1:9092", topic, text))

    def beside(self, module: str, *arguments: str) -> Any:
        """What a module of the tests prints, run in a container of the data network, where Kafka and Pinot can be reached."""
        tests = REPOSITORY / "tests"
        said = self.docker(
            *("run", "--rm", "--init", "--network", f"{PROJECT}_data", "--volume", f"{tests}:/app/tests:ro"),
            *("--env", "PYTHONPATH=/app", "pagepulse-provisioner:0.1.0"),
            *("python", "-m", module, *arguments),
        )
        return json.loads(said.splitlines()[-1])
