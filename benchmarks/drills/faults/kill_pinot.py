"""Pinot is killed: it reads again from Kafka what it had not sealed."""

from __future__ import annotations

from benchmarks.drills.environment import Environment


async def strike(environment: Environment) -> None:
    environment.kill("pinot")
