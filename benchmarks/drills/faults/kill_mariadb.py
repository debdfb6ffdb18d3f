"""The database is killed: the connector waits for it, the seeder says so, the events go on."""

from __future__ import annotations

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    scene.kill("mariadb")
