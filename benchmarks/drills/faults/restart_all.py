"""Everything is stopped and started in the middle of a window: the windows go on where they were."""

from __future__ import annotations

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    await scene.pagepulse("down")


async def remedy(scene: Scene) -> None:
    await scene.up()
