"""What every component's description needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.local import cache
from deploy.local.java import Jvm
from deploy.local.options import Options
from deploy.local.ports import HOST, Ports
from deploy.local.state import State


@dataclass(frozen=True, slots=True)
class Context:
    """``record``: the run makes class-data archives instead of using them."""

    options: Options
    state: State
    java: Path
    record: bool = False

    @property
    def ports(self) -> Ports:
        """This stack's ports."""
        return Ports(self.options.port_offset)

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap servers."""
        return self.ports.bootstrap(self.options.brokers)

    @property
    def zookeeper(self) -> str:
        """ZooKeeper's address."""
        return f"{HOST}:{self.ports['zookeeper']}"

    def jvm(self, component: str, server: str) -> Jvm:
        """Java with the jars of ``server`` and the class-data archive of ``component``."""
        return Jvm(self.java, cache.jars(server), cache.archive(component, self.java, server), self.record)
