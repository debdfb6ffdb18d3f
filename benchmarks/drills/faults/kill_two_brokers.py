"""Two of three brokers are killed at once: nothing can be acknowledged until one is back, and nobody says it was."""

from __future__ import annotations

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    scene.kill("kafka1", "kafka2")
