"""Debian packages: the programs that the servers are run with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from deploy.local import cache, java
from deploy.local.components.mariadb import program
from deploy.local.errors import SetupError
from deploy.local.progress import Progress
from deploy.local.setup import commands, jars

UPDATE_WITHIN = timedelta(minutes=5)
INSTALL_WITHIN = timedelta(minutes=20)
MASK_WITHIN = timedelta(seconds=30)
#: there while systemd runs the machine
_SYSTEMD = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that must be there, how to see that it is, and the packages that bring it.

    ``services``: what the packages would start at every boot. Here each program is run by hand, so these are kept from starting.
    """

    what: str
    present: Callable[[], bool]
    packages: tuple[str, ...]
    services: tuple[str, ...] = ()


def _on_path(name: str) -> bool:
    return shutil.which(program(name)) is not None


NEEDS = (
    Need(f"Java {java.OLDEST}", lambda: java.find() is not None, ("default-jre-headless",)),
    Need("Maven", lambda: not jars.missing() or _on_path("mvn"), ("maven",)),
    Need(
        "MariaDB server",
        lambda: _on_path("mariadbd") and _on_path("mariadb-install-db"),
        ("mariadb-server-core", "mariadb-client-core"),
    ),
)
TEST_NEEDS = (
    Need("Chromium", lambda: _on_path("chromium"), ("chromium",)),
    Need("Node.js", lambda: _on_path("node"), ("nodejs",)),
    Need("npm", lambda: _on_path("npm"), ("npm",)),
    Need("Prometheus", lambda: _on_path("prometheus") and _on_path("promtool"), ("prometheus",), ("prometheus",)),
)


def missing(*, tests: bool) -> list[Need]:
    """What this machine lacks."""
    return [need for need in (*NEEDS, *(TEST_NEEDS if tests else ())) if not need.present()]


async def ensure(progress: Progress, *, tests: bool) -> None:
    """Installs the packages of everything that is missing. Raises SetupError with the command to run by hand."""
    needs = missing(tests=tests)
    if not needs:
        return
    packages = [package for need in needs for package in need.packages]
    by_hand = f"install by hand: {', '.join(packages)} (or what brings {', '.join(need.what for need in needs)} on your system)"
    if shutil.which("apt-get") is None:
        raise SetupError(
            f"missing: {', '.join(need.what for need in needs)}; and there is no apt-get here", hint=by_hand
        )
    log = cache.root() / "logs" / "apt.log"
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with progress.step(f"Debian packages: {', '.join(packages)}") as step:

        async def as_root(*command: str, within: timedelta) -> None:
            line = (*_as_root(by_hand), *command)
            what = " ".join(command[:2])
            await commands.run(line, what=what, log=log, within=within, on_line=step, env=env, hint=by_hand)

        await as_root("apt-get", "update", "-q", within=UPDATE_WITHIN)
        if services := _services(needs):
            await as_root("systemctl", "mask", *services, within=MASK_WITHIN)
        await as_root("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages, within=INSTALL_WITHIN)
    still = missing(tests=tests)
    if still:
        raise SetupError(
            f"installed, and still missing: {', '.join(need.what for need in still)}", log=log, hint=by_hand
        )


def _services(needs: list[Need]) -> list[str]:
    if not _SYSTEMD.exists():
        return []
    return [service for need in needs for service in need.services]


def _as_root(by_hand: str) -> tuple[str, ...]:
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") is None:
        raise SetupError("packages are missing, this is not root, and there is no sudo", hint=by_hand)
    # -n: a password asked for behind a progress display would hang for ever.
    return ("sudo", "-n", "DEBIAN_FRONTEND=noninteractive")
