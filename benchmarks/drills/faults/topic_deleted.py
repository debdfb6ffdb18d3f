"""A result topic is deleted behind everyone's back: the status says so, and the next apply has it computed again from the source."""

from __future__ import annotations

from benchmarks.drills.scene import Scene
from shared.kafka import admin_client
from shared.topics import PAGE_VIEW_HOPPING


async def strike(scene: Scene) -> None:
    async with admin_client(scene.stack.kafka_bootstrap) as admin:
        await admin.delete_topics([PAGE_VIEW_HOPPING])


async def remedy(scene: Scene) -> None:
    await scene.until_ready(False)
    await scene.apply()
    await scene.until_ready()
