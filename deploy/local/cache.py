"""The cache that all checkouts of a user share: ``$XDG_CACHE_HOME/pagepulse`` (``~/.cache/pagepulse``)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

POMS = Path(__file__).parent / "poms"
SERVERS = ("kafka", "connect", "pinot")
DIGEST_LENGTH = 12


def root() -> Path:
    """The cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pagepulse"


def pom(server: str) -> Path:
    """The file that names the server's jars and their versions."""
    return POMS / f"{server}.xml"


def jars(server: str) -> Path:
    """The folder of one server's jars; another pom gives another folder."""
    digest = hashlib.sha256(pom(server).read_bytes()).hexdigest()[:DIGEST_LENGTH]
    return root() / "jars" / f"{server}-{digest}"


def archive(component: str, java: Path, *servers: str) -> Path:
    """The class-data archive of a component: it fits one build of Java and one set of jars."""
    runtime = java.resolve()
    parts = [str(runtime), str(runtime.stat().st_mtime_ns), *(str(jars(server)) for server in servers)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return root() / "cds" / f"{component}-{digest[:DIGEST_LENGTH]}.jsa"


def part(path: Path) -> Path:
    """Where a file is written until it is whole."""
    return path.with_name(f"{path.name}.part")
