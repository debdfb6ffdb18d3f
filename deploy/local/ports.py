"""Every port of the local stack. All of them move together by ``--port-offset``."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import psutil

from deploy.local.errors import PortTaken

HOST = "127.0.0.1"
MARK = "PAGEPULSE_STATE"
"""Set in the environment of every process that a supervisor starts: the state folder of its stack."""

HIGHEST_PORT = 65535

KAFKA_FIRST = 19092
KAFKA_CONTROLLER_FIRST = 19193
"""The controller of broker 1: brokers are 19092, 19292, 19392, ..., their controllers 19193, 19293, ..."""

PortName = Literal[
    "dashboard",
    "generator",
    "seeder",
    "provisioner",
    "collector",
    "ksql",
    "connect",
    "pinot_controller",
    "pinot_broker",
    "pinot_server",
    "pinot_server_admin",
    "mariadb",
    "zookeeper",
]

_FIXED: Mapping[PortName, int] = {
    "dashboard": 8501,
    "generator": 8001,
    "seeder": 8002,
    "provisioner": 8003,
    "collector": 8004,
    "ksql": 8088,
    "connect": 8083,
    "pinot_controller": 9000,
    "pinot_broker": 8099,
    "mariadb": 13306,
    "zookeeper": 12181,
    "pinot_server": 18098,
    "pinot_server_admin": 18097,
}


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one stack."""

    offset: int = 0

    def __getitem__(self, name: PortName) -> int:
        return _FIXED[name] + self.offset

    def url(self, name: PortName) -> str:
        """The base URL of an HTTP server."""
        return f"http://{HOST}:{self[name]}"

    def kafka(self, broker: int) -> int:
        """The client port of broker 1, 2, 3, ...: 19092, 19292, 19392, ..."""
        return KAFKA_FIRST + (0 if broker == 1 else 100 * broker) + self.offset

    def kafka_controller(self, broker: int) -> int:
        """The controller port of broker 1, 2, 3, ...: 19193, 19293, 19393, ..."""
        return KAFKA_CONTROLLER_FIRST + 100 * (broker - 1) + self.offset

    def bootstrap(self, brokers: int) -> str:
        """Kafka's bootstrap servers."""
        return ",".join(f"{HOST}:{self.kafka(n)}" for n in range(1, brokers + 1))


def highest_offset(brokers: int) -> int:
    """The greatest offset at which every port still exists."""
    highest = max(*_FIXED.values(), Ports().kafka(brokers), Ports().kafka_controller(brokers))
    return HIGHEST_PORT - highest


def check_free(ports: Iterable[tuple[str, int]], *, movable: bool = True) -> None:
    """Raises PortTaken, naming every port that cannot be bound, its component and (where visible) its owner.

    ``movable``: the folder has no data that depend on these ports.
    """
    taken = [(component, port) for component, port in ports if not _is_free(port)]
    if not taken:
        return
    owners = _owners({port for _, port in taken})
    conflicts = [
        f"port {port} (for {component}) is taken by {owners.get(port, 'another process')}" for component, port in taken
    ]
    hint = "stop that process, or move the whole stack with --port-offset N (for example --port-offset 1000)"
    if not movable:
        hint += " and another --dir: the data in this one work only with their ports"
    raise PortTaken("\n".join(conflicts), hint=hint)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def _owners(ports: set[int]) -> dict[int, str]:
    try:
        listening = [c for c in psutil.net_connections(kind="tcp") if c.status == psutil.CONN_LISTEN and c.pid]
    except psutil.AccessDenied:
        return {}
    owners: dict[int, str] = {}
    for connection in listening:
        port = connection.laddr[1] if connection.laddr else None
        if port in ports:
            try:
                owners[port] = _named(psutil.Process(connection.pid))
            except psutil.Error:
                continue
    return owners


def _named(process: psutil.Process) -> str:
    named = f"{process.name()} (pid {process.pid})"
    try:
        stack = process.environ().get(MARK)
    except psutil.Error:
        stack = None
    return f"{named} of the stack in {stack}" if stack else named
