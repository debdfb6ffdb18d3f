"""Kafka Connect is killed: the connector goes on from its last offset, changes may be copied a second time, in order."""

from __future__ import annotations

from benchmarks.drills.environment import Environment


async def strike(environment: Environment) -> None:
    environment.kill("connect")
