"""The local stack as tests see it: started once with the project's own command, on ports of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.ports import PortName, Ports
from tests.patience import STACK_S, WORK_S

REPOSITORY = Path(__file__).resolve().parent.parent

#: keeps clear of a demo that runs on the default ports, and below the ephemeral ports of clients
PORT_OFFSET = 10_000
BROKERS = 3

URLS: tuple[PortName, ...] = (
    "dashboard",
    "generator",
    "seeder",
    "collector",
    "provisioner",
    "ksql",
    "connect",
    "pinot_controller",
    "pinot_broker",
)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack: where each part listens, and its state folder."""

    directory: Path
    offset: int

    def url(self, name: PortName) -> str:
        """The base URL of a part, e.g. ``url("generator")``."""
        return Ports(self.offset).url(name)

    @property
    def kafka_bootstrap(self) -> str:
        return Ports(self.offset).bootstrap(BROKERS)

    def environment(self) -> dict[str, str]:
        """The settings of a service that is to use this stack."""
        return {
            "PAGEPULSE_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "PAGEPULSE_MYSQL_PORT": str(Ports(self.offset)["mariadb"]),
            **{f"PAGEPULSE_{name.upper()}_URL": self.url(name) for name in URLS},
        }

    def status(self) -> dict[str, Any]:
        """What ``pagepulse status --json`` says."""
        done = pagepulse("status", "--json", "--dir", str(self.directory))
        return dict(json.loads(done.stdout))


def pagepulse(*arguments: str, timeout: float = WORK_S) -> subprocess.CompletedProcess[str]:
    """Runs the CLI; does not raise on a non-zero exit."""
    command = [sys.executable, "-m", "deploy.local", *arguments]
    services = {
        # All visitors of a test come from one address.
        "PAGEPULSE_CLIENT_EVENTS_PER_MINUTE": "1000000",
        # On a busy machine Pinot may be further behind than an audit waits for; an audit without differences waits for nothing.
        "PAGEPULSE_VERIFY_SETTLE": "PT2M",
    }
    environment = {**os.environ, **services, "NO_COLOR": "1", "COLUMNS": "160"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def start(directory: Path, offset: int = PORT_OFFSET) -> Stack:
    """Starts a provisioned stack without load.

    Raises:
        RuntimeError: a component did not come up; the message is what the command said.
    """
    patience = str(int(STACK_S) - 60)  # it gives up, and says why, before its caller does
    arguments = (
        "--detach",
        "--dir",
        str(directory),
        "--port-offset",
        str(offset),
        "--users",
        "1000",
        "--start-within",
        patience,
    )
    done = pagepulse("up", *arguments, timeout=STACK_S)
    if done.returncode != 0:
        pagepulse("down", "--dir", str(directory), timeout=STACK_S)
        raise RuntimeError(f"pagepulse up failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
    return Stack(directory, offset)


def stop(stack: Stack) -> None:
    """Stops every process of the stack."""
    done = pagepulse("down", "--dir", str(stack.directory), timeout=STACK_S)
    if done.returncode != 0:
        raise RuntimeError(f"pagepulse down failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
