"""A Docker Engine for the tests: the one that answers already, or a private one from Debian's package."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.patience import STEP_S, WORK_S, eventually_blocking

#: brings the engine, what it needs to make networks, and what makes the base images
PACKAGES = ("docker.io", "iptables", "tini", "mmdebstrap")
INSTALL_WITHIN_S = 1200
START_WITHIN_S = WORK_S
STOP_WITHIN_S = STEP_S
#: large enough for all images; /tmp is often memory
DISK = Path("/var/tmp")


class NoEngine(Exception):
    """There is no Docker Engine; the message says why, and what to do."""


def answers(host: str | None) -> bool:
    """Whether an engine answers at ``host`` (a DOCKER_HOST; None: the system's own)."""
    if shutil.which("docker") is None:
        return False
    environment = {**os.environ, **({"DOCKER_HOST": host} if host else {})}
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return (
            subprocess.run(command, env=environment, capture_output=True, timeout=STEP_S, check=False).returncode == 0
        )
    except subprocess.TimeoutExpired:
        return False


@contextmanager
def engine() -> Iterator[str | None]:
    """The DOCKER_HOST of an engine (None: the system's own). A private one and all that it holds is gone after the block.

    Raises:
        NoEngine: the engine of DOCKER_HOST does not answer, or a private one cannot be installed or does not start.
    """
    given = os.environ.get("DOCKER_HOST")
    if answers(given):
        yield given
    elif given:
        raise NoEngine(f"no Docker Engine answers at DOCKER_HOST={given}")
    else:
        _install()
        folder = Path(tempfile.mkdtemp(prefix="pagepulse-engine-", dir=DISK))
        try:
            with _private(folder) as host:
                yield host
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _install() -> None:
    if os.geteuid() != 0:
        raise NoEngine("no Docker Engine answers, and only root can start one: set DOCKER_HOST, or run as root")
    if all(shutil.which(name) for name in ("dockerd", "docker", "iptables", "mmdebstrap")):
        return
    if shutil.which("apt-get") is None:
        raise NoEngine("no Docker Engine answers, and there is no apt-get to install one: set DOCKER_HOST")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update", "-q"), ("install", "-q", "-y", "--no-install-recommends", *PACKAGES)):
        done = subprocess.run(
            ["apt-get", *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_WITHIN_S,
            check=False,
        )
        if done.returncode != 0:
            raise NoEngine(f"apt-get {command[0]} failed: {done.stderr[-500:]}")


@contextmanager
def _private(folder: Path) -> Iterator[str]:
    host = f"unix://{folder / 'docker.sock'}"
    bridges = Path("/sys/class/net/docker0")
    had_bridge = bridges.exists()
    command = [
        "dockerd",
        f"--data-root={folder / 'data'}",
        f"--exec-root={folder / 'exec'}",
        f"--host={host}",
        f"--pidfile={folder / 'docker.pid'}",
    ]
    log = folder / "dockerd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        eventually_blocking(
            lambda: process.poll() is not None or answers(host), lambda: log.read_text()[-1500:], START_WITHIN_S, 0.5
        )
        if process.poll() is not None:
            raise NoEngine(f"dockerd has ended:\n{log.read_text()[-1500:]}")
        yield host
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if not had_bridge and bridges.exists():
            subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True, timeout=30, check=False)
