"""ZooKeeper is killed, which only Pinot uses: it keeps serving and reading meanwhile."""

from __future__ import annotations

from benchmarks.drills.environment import Environment


async def strike(environment: Environment) -> None:
    environment.kill("zookeeper")
