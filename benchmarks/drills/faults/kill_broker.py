"""One of three brokers is killed: its partitions get new leaders, the acknowledged records are on the other two."""

from __future__ import annotations

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    scene.kill("kafka2")
