"""The state folder (``.pagepulse/``): files, running processes, and what an earlier run left behind.

lock            held (flock) by the supervisor as long as it lives, so a dead one is distinguished from a live one
pids.json       every process the supervisor started: pid and start time
run.json        options, phase and the state of each component, for ``status`` and ``up --detach``
secrets.json    passwords made at the first start, mode 600
logs/           one file per component
conf/           the rendered server configurations
data/           Kafka's logs, MariaDB's tables, ZooKeeper, Pinot's segments; layout.json: ports and brokers they were made with
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets as random_secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.local.errors import AlreadyRunning, OtherLayout
from deploy.local.options import Layout

START_TIME_TOLERANCE = 0.05
"""Seconds: start times come in clock ticks of 10 ms; a reused pid is younger by far more."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process, named so that another one with the same number is never taken for it."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Started:
        """Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """True if this very process runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) <= START_TIME_TOLERANCE
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Readers see the old text or the new one, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    part.replace(path)


class State:
    """The state folder at ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.logs = self.root / "logs"
        self.conf = self.root / "conf"
        self.data = self.root / "data"
        #: of events; `reset` keeps them. Absolute, because the services run in another folder.
        self.recordings = Path(os.environ.get("PAGEPULSE_RECORDINGS") or self.root / "recordings").resolve()
        self._lock: int | None = None

    def log(self, component: str) -> Path:
        """The log of one component."""
        return self.logs / f"{component}.log"

    def make(self) -> None:
        """Makes the folders."""
        for folder in (self.root, self.logs, self.conf, self.data):
            folder.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)

    # --- one supervisor at a time

    def acquire(self) -> None:
        """Becomes the owner of the folder until ``release`` or the end of this process. Raises AlreadyRunning."""
        self.make()
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(
                f"a stack already runs in {self.root}", hint="pagepulse status, or pagepulse down"
            ) from None
        self._lock = descriptor

    def release(self) -> None:
        """Gives the folder up."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def supervised(self) -> bool:
        """True if a living supervisor owns the folder."""
        if not (self.root / "lock").exists():
            return False
        descriptor = os.open(self.root / "lock", os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    # --- started processes

    def write_pids(self, supervisor: Started, components: Mapping[str, Started]) -> None:
        """Records every process, so that it can be found if the supervisor dies."""
        everyone = {"supervisor": supervisor, **components}
        write_atomically(
            self.root / "pids.json", json.dumps({name: [p.pid, p.created] for name, p in everyone.items()}, indent=1)
        )

    def read_pids(self) -> dict[str, Started]:
        """What was recorded last; empty if nothing was."""
        return {name: Started(int(pid), float(created)) for name, (pid, created) in self._read("pids.json").items()}

    def clear_pids(self) -> None:
        """Forgets them: all have ended."""
        (self.root / "pids.json").unlink(missing_ok=True)

    # --- what the data depend on

    def layout(self) -> Layout | None:
        """The layout of the data in this folder; None if there are none."""
        if not self.data.exists() or not any(self.data.iterdir()):
            return None
        # Data of an earlier version have no record of it: the last run's options are the best guess.
        kept = self._read("data/layout.json") or self.read_run().get("options", {})
        return Layout(kept["brokers"], kept["port_offset"]) if kept else None

    def choose_layout(self, *, brokers: int | None = None, port_offset: int | None = None) -> Layout:
        """What is not asked for (None) is that of the data, else the default. Raises OtherLayout if the data were made with another."""
        kept = self.layout()
        known = kept or Layout()
        asked = Layout(
            known.brokers if brokers is None else brokers, known.port_offset if port_offset is None else port_offset
        )
        if kept is not None and asked != kept:
            raise OtherLayout(
                f"the data in {self.root} were made with {kept} and work with nothing else",
                hint=f"use {kept}, or another --dir, or delete the data: pagepulse reset --dir {self.root}",
            )
        return asked

    def keep_layout(self, layout: Layout) -> None:
        """Records the layout with which data are made from now on. Raises OtherLayout as ``choose_layout``."""
        self.choose_layout(**asdict(layout))
        write_atomically(self.data / "layout.json", json.dumps(asdict(layout), indent=1))

    # --- the run

    def write_run(self, run: Mapping[str, Any]) -> None:
        """Publishes the state of the run."""
        write_atomically(self.root / "run.json", json.dumps(run, indent=1))

    def read_run(self) -> dict[str, Any]:
        """The last published state; empty if there is none."""
        return self._read("run.json")

    def clear_run(self) -> None:
        """Forgets the last run."""
        (self.root / "run.json").unlink(missing_ok=True)

    def secret(self, name: str) -> str:
        """A random password, made when first asked for and then kept (mode 600)."""
        kept = self._read("secrets.json")
        if name not in kept:
            kept[name] = random_secrets.token_urlsafe(18)
            write_atomically(self.root / "secrets.json", json.dumps(kept, indent=1), mode=0o600)
        return str(kept[name])

    def wipe(self) -> None:
        """Removes everything that runs wrote; only the lock stays, which belongs to its holder."""
        for entry in self.root.iterdir() if self.root.exists() else ():
            if entry.name == "lock" or entry == self.recordings:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.root / name).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}
