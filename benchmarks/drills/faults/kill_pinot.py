"""Pinot is killed: it reads again from Kafka what it had not sealed."""

from __future__ import annotations

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    scene.kill("pinot")
