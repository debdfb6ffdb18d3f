"""The generator is killed: nothing that it got acknowledged is missing; sessions that were cut off simply end."""

from __future__ import annotations

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    scene.kill("generator")
