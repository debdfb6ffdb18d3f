"""Kafka Connect is killed: the connector goes on from its last offset, changes may be copied a second time, in order."""

from __future__ import annotations

from benchmarks.drills.scene import Scene


async def strike(scene: Scene) -> None:
    scene.kill("connect")
