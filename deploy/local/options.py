"""What a person may choose about a stack."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
"""Where the services are started from."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the data of a stack depend on, because the servers keep addresses in them: Pinot the ports of its instances, segments and
    streams, Kafka the voters of its quorum. With other ports Pinot assigns partitions to a server that is gone; with another number of
    brokers Kafka's quorum is another one.
    """

    brokers: int = 3
    port_offset: int = 0

    def __str__(self) -> str:
        return f"--port-offset {self.port_offset} --brokers {self.brokers}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``rate`` is in events per second; ``only`` limits the stack to these components and what they need (empty: everything).

    ``start_within``: seconds after which a component that lives but is not healthy is restarted, and that ``up --detach`` waits.
    """

    dir: Path
    brokers: int = 3
    demo: bool = True
    generate: bool = True
    rate: int = 200
    users: int = 1000
    port_offset: int = 0
    only: tuple[str, ...] = ()
    start_within: int = 1800

    @property
    def layout(self) -> Layout:
        """What data made with these options depend on."""
        return Layout(self.brokers, self.port_offset)

    @property
    def replication(self) -> int:
        """Copies of each partition: three, or as many as there are brokers."""
        return min(3, self.brokers)

    @property
    def min_insync(self) -> int:
        """Copies that must have a record before it is acknowledged."""
        return min(2, self.brokers)

    def publish(self) -> dict[str, Any]:
        """JSON types only."""
        return {**dataclasses.asdict(self), "dir": str(self.dir), "only": list(self.only)}

    @classmethod
    def read(cls, published: Mapping[str, Any]) -> Options:
        """From the published form."""
        return cls(**{**published, "dir": Path(published["dir"]), "only": tuple(published["only"])})
