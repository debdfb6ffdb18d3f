"""The database is killed: the connector waits for it, the seeder says so, the events go on."""

from __future__ import annotations

from benchmarks.drills.environment import Environment


async def strike(environment: Environment) -> None:
    environment.kill("mariadb")
