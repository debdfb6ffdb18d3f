"""Ports of 127.0.0.1 for the servers that tests start."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

#: above what a stack under test uses (up to 29393), below what the kernel gives to outgoing connections (32768 and up, ip(7))
_RANGE = range(30_000, 32_700)
_held: list[int] = []


def free_port() -> int:
    """A port that nobody uses, and that no other test is given while this process runs.

    A port that the kernel chose (port 0) and that was closed again may be given to the next process that asks, so that two
    tests start their servers at one port. Here a lock file per port, held until the process ends, keeps them apart.
    """
    folder = Path(tempfile.gettempdir()) / "pagepulse-test-ports"
    folder.mkdir(exist_ok=True)
    for port in random.sample(_RANGE, len(_RANGE)):
        lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _bind(port)
        except OSError:
            os.close(lock)
        else:
            _held.append(lock)
            return port
    raise OSError("every port for tests is in use")


def _bind(port: int) -> None:
    """Raises OSError: somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
