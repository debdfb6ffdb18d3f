"""Java: finding a runtime, and the flags that make small, quickly starting servers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local import cache
from deploy.local.errors import SetupError

OLDEST = 17


@dataclass(frozen=True, slots=True)
class Jvm:
    """One server's way to start Java: class path, heap limit and, if there is one, its class-data archive.

    ``record`` makes the archive at the end of this run instead of using it.
    """

    java: Path
    jars: Path
    archive: Path | None = None
    record: bool = False

    def command(
        self, main: str, *arguments: str, heap: str, properties: dict[str, str] | None = None
    ) -> tuple[str, ...]:
        """The command line. C1 only and the serial collector: these servers start in a third of the time and idle small."""
        flags = [f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"]
        if self.archive is not None and self.record:
            flags.append(f"-XX:ArchiveClassesAtExit={cache.part(self.archive)}")
        elif self.archive is not None and self.archive.exists():
            flags += [f"-XX:SharedArchiveFile={self.archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
        flags += [f"-D{name}={value}" for name, value in (properties or {}).items()]
        return (str(self.java), *flags, "-cp", f"{self.jars}/*", main, *arguments)


def find() -> Path | None:
    """A Java of at least version 17: JAVA_HOME's, else the one on PATH; None if there is none."""
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home) / "bin" / "java"] if home else []
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path))
    return next((java for java in candidates if java.exists() and version(java) >= OLDEST), None)


def version(java: Path) -> int:
    """The major version; 0 if it is unknown."""
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    found = re.search(r'version "(\d+)', answer.stderr)
    return int(found[1]) if found else 0


def require() -> Path:
    """As ``find``, but raises SetupError if there is none."""
    java = find()
    if java is None:
        raise SetupError(f"no Java {OLDEST} or newer was found", hint="run 'pagepulse setup', or set JAVA_HOME")
    return java
