"""ZooKeeper is killed, which only Pinot uses: it keeps serving and reading meanwhile."""

from __future__ import annotations

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    scene.kill("zookeeper")
