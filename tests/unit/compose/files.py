"""What the tests of deploy/compose read: the compose file as docker compose understands it, and the files beside it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY / "deploy" / "compose"

Service = dict[str, Any]


@cache
def compose() -> dict[str, Any]:
    """The file with anchors and merges resolved, variables as they are written."""
    return dict(yaml.safe_load((FOLDER / "compose.yaml").read_text()))


def services() -> dict[str, Service]:
    """Name to service."""
    return dict(compose()["services"])


def environment(name: str, **secrets: str) -> dict[str, str]:
    """A service's environment as its process sees it; ``secrets`` are the values of ``.env``."""
    return {
        key: re.sub(r"\$\{(\w+):\?[^}]*\}", lambda match: secrets[match[1]], value)
        for key, value in services()[name]["environment"].items()
    }


def published(name: str) -> dict[int, int]:
    """Port inside the container to port of the machine; every one must be on loopback only."""
    found = {}
    for entry in services()[name].get("ports", ()):
        match = re.fullmatch(r"127\.0\.0\.1:(\d+):(\d+)", entry)
        assert match, f"{name} publishes {entry}: write 127.0.0.1:PORT:PORT, a bare port is open to the network"
        found[int(match[2])] = int(match[1])
    return found


def own() -> list[str]:
    """The services that are PagePulse's Python code."""
    return [name for name, service in services().items() if f"services.{name}" in service.get("command", ())]


def example() -> dict[str, str]:
    """``.env.example``: name to value."""
    lines = (FOLDER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def stages(dockerfile: Path) -> dict[str, str]:
    """The stages of a Dockerfile: name (or base image) to text, with the stages that it stands on."""
    found: dict[str, str] = {}
    text = dockerfile.read_text().replace("\\\n", " ")
    for part in re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:]:
        match = re.match(r"FROM (\S+)(?: AS (\S+))?", part)
        assert match
        found[match[2] or match[1]] = found.get(match[1], "") + part
    return found
