"""A result topic is deleted behind everyone's back: the status says so, and the next apply has it computed again from the source."""

from __future__ import annotations

from benchmarks.drills.environment import Environment
from shared.kafka import admin_client
from shared.topics import PAGE_VIEW_HOPPING


async def strike(environment: Environment) -> None:
    async with admin_client(environment.stack.kafka_bootstrap) as admin:
        await admin.delete_topics([PAGE_VIEW_HOPPING])


async def remedy(environment: Environment) -> None:
    await environment.until_ready(False)
    await environment.apply()
    await environment.until_ready()
