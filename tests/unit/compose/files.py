"""What the tests of deploy/compose read: the files as Docker Compose itself understands them, and as they are written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.patience import STEP_S
from tests.unit.compose.dockerfile import stages, variables

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY / "deploy" / "compose"
TOOLS = Path(sys.executable).parent
#: the program in the wheel; the wheel's own command hides the exit code
COMPOSE = Path(str(find_spec("compose").origin)).with_name("docker-compose")  # type: ignore[union-attr]

Service = dict[str, Any]


def example() -> dict[str, str]:
    """``.env.example``: name to value."""
    lines = (FOLDER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def chosen() -> dict[str, str]:
    """``.env`` as a person may have it: the example, with every change-me changed."""
    return {name: f"value-of-{name}" if value == "change-me" else value for name, value in example().items()}


def run_compose(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """``docker compose`` (the program itself; it needs no engine to read files) with these variables and no others."""
    return subprocess.run(
        [COMPOSE, "--env-file", "/dev/null", *arguments],
        cwd=FOLDER,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables},
        capture_output=True,
        text=True,
        timeout=STEP_S,
        check=False,
    )


@cache
def compose(profiles: str = "*", *files: str) -> dict[str, Any]:
    """The whole deployment of these profiles (and files): included, extended, merged, interpolated and validated."""
    which = [argument for file in files for argument in ("--file", file)]
    done = run_compose({**chosen(), "COMPOSE_PROFILES": profiles}, *which, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "docker compose warns, e.g. of a variable that is not set"
    return dict(json.loads(done.stdout))


def services() -> dict[str, Service]:
    """Name to service, of all profiles together."""
    return dict(compose()["services"])


@cache
def written() -> dict[str, Service]:
    """Name to service as it is in the files, variables and all; ``common.yaml`` is not among them."""
    files = [FOLDER / name for name in yaml.safe_load((FOLDER / "compose.yaml").read_text())["include"]]
    return {name: service for file in files for name, service in yaml.safe_load(file.read_text())["services"].items()}


def own() -> list[str]:
    """The services that are PagePulse's Python code."""
    return sorted(name for name, service in services().items() if "SERVICE" in service.get("build", {}).get("args", {}))


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets for every service."""
    settings = (i.rest for i in stages(FOLDER / "Dockerfile")["service"] if i.keyword == "ENV")
    return {name: value for rest in settings for name, value in variables(rest).items()}


def environment(name: str) -> dict[str, str]:
    """A service's environment as its process sees it."""
    base = image_environment() if name in own() else {}
    return base | dict(services()[name].get("environment") or {})


def listens_on(name: str) -> set[int]:
    """The ports on which a service can be reached by others, as its own configuration says."""
    env = environment(name)
    if name in own():
        return {int(env["PAGEPULSE_PORT"])}
    if name.startswith("kafka"):
        return {int(listener.rsplit(":", 1)[1]) for listener in env["KAFKA_LISTENERS"].split(",")}
    listeners = {"connect": "CONNECT_LISTENERS", "ksqldb": "KSQL_LISTENERS"}
    if name in listeners:
        return {int(env[listeners[name]].rsplit(":", 1)[1])}
    if name.startswith("pinot"):
        return pinot_ports(name.removeprefix("pinot-"))
    # the ports of the images' own defaults
    return {"mysql": {3306}, "zookeeper": {2181}, "prometheus": {9090}, "grafana": {3000}}[name]


def pinot_ports(role: str) -> set[int]:
    """What a Pinot role's configuration opens."""
    return {int(value) for key, value in pinot(role).items() if key.lower().endswith("port")}


def pinot(role: str) -> dict[str, str]:
    """A Pinot role's configuration: key to value."""
    lines = (FOLDER / "pinot" / f"{role}.conf").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def published(name: str) -> dict[int, int]:
    """Port inside the container to port of the machine; every one must be on loopback only."""
    ports = services()[name].get("ports", ())
    assert all(port["host_ip"] == "127.0.0.1" for port in ports), f"{name} is open to the network"
    return {int(port["target"]): int(port["published"]) for port in ports}


def hosts(network: str) -> dict[str, set[int]]:
    """Every name that resolves on a network, aliases too, with the ports that answer under it."""
    found: dict[str, set[int]] = {}
    for name, service in services().items():
        if network in service["networks"]:
            aliases = (service["networks"][network] or {}).get("aliases", ())
            for host in (name, *aliases):
                found.setdefault(host, set()).update(listens_on(name))
    return found
