"""One of three brokers is killed: its partitions get new leaders, the acknowledged records are on the other two."""

from __future__ import annotations

from benchmarks.drills.environment import Environment


async def strike(environment: Environment) -> None:
    environment.kill("kafka2")
